//! Does everything that fuzzing once found still hold? Runs each target's function over its files.

use std::{fs, path::Path};

#[test]
fn no_twilio_message_of_the_corpus_breaks_anything() {
    run("twilio_read", wire::fuzz::twilio);
}

#[test]
fn no_message_of_any_carrier_in_the_corpus_breaks_anything() {
    run("carriers_read", wire::fuzz::carriers);
}

#[test]
fn no_openai_message_of_the_corpus_breaks_anything() {
    run("openai_read", wire::fuzz::openai);
}

#[test]
fn nothing_that_deepgram_or_a_model_sent_in_the_corpus_breaks_anything() {
    run("cascade_read", wire::fuzz::cascade);
}

fn run(target: &str, check: fn(&[u8])) {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let seeds = run_folder(&fuzz.join("corpus").join(target), check);
    assert!(seeds > 0, "the corpus of {target} is missing");
    run_folder(&fuzz.join("crashes").join(target), check);
}

/// How many files it has; a folder that does not exist has none.
fn run_folder(folder: &Path, check: fn(&[u8])) -> usize {
    let Ok(files) = fs::read_dir(folder) else { return 0 };
    let mut count = 0;
    for file in files {
        let path = file.expect("the folder can be listed").path();
        eprintln!("{}", path.display()); // shown only when the check panics
        check(&fs::read(&path).expect("the file can be read"));
        count += 1;
    }
    count
}
