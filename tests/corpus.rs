//! Does everything that fuzzing once found in tokens and calls still hold? The vendors' own are in `wire`.

use std::{fs, path::Path, time::Instant};

#[test]
fn no_token_of_the_corpus_breaks_the_gate() {
    run("token", patchcord::gate::poke::poke);
}

#[test]
fn no_story_of_the_corpus_breaks_the_rules_of_a_call() {
    run("call", |story| call::fuzz::run(story, Instant::now()));
}

#[test]
fn no_agent_file_of_the_corpus_breaks_its_reader() {
    run("agent_file", patchcord::agent_file::poke);
}

#[test]
fn no_form_of_the_corpus_breaks_a_relay_without_an_app() {
    run("webhook", patchcord::standalone::poke);
}

fn run(target: &str, check: fn(&[u8])) {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let mut seeds = 0;
    for folder in ["corpus", "crashes"] {
        let Ok(files) = fs::read_dir(fuzz.join(folder).join(target)) else { continue };
        for file in files {
            let path = file.expect("the folder can be listed").path();
            eprintln!("{}", path.display()); // shown only when the check panics
            check(&fs::read(&path).expect("the file can be read"));
            seeds += 1;
        }
    }
    assert!(seeds > 0, "the corpus of {target} is missing");
}
