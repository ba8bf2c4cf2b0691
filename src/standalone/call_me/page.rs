//! The page with the form, and what a browser is told about it.
//!
//! It works without a script, and nothing comes from elsewhere. A link only fills the form in: chat programs and mail
//! scanners open every link they see, and none of them may make a telephone ring. The secret stands in the page when it
//! stood in the link, so the page is kept nowhere.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::STANDARD};

use super::Wish;
use crate::markup::escaped;

/// What is said above the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News<'a> {
    Nothing,
    /// This number is being called.
    Ringing(&'a str),
    Refused(&'a str),
}

/// `action` is where the form goes.
pub fn html(action: &str, wish: &Wish, with_secret: bool, news: News<'_>) -> String {
    let to = escaped(&wish.to);
    let news = match news {
        News::Nothing if wish.to.is_empty() => String::new(),
        News::Nothing => format!("<p>Press the button, and {to} rings.</p>"),
        News::Ringing(number) => said("good", "status", &format!("Calling {} now.", escaped(number))),
        News::Refused(why) => said("bad", "alert", &format!("That did not work: {}.", escaped(why))),
    };
    let secret = if with_secret { SECRET.replace("{value}", &escaped(&wish.secret)) } else { String::new() };
    // What people wrote comes last, so that no part of it is taken for a place to fill.
    let page = PAGE.replace("{style}", STYLE).replace("{action}", &escaped(action));
    let parts = [("{news}", news), ("{to}", to), ("{secret}", secret)];
    let mut filled = String::with_capacity(page.len() + 512);
    let mut rest = page.as_str();
    for (place, text) in parts {
        let Some((before, after)) = rest.split_once(place) else { continue };
        filled.push_str(before);
        filled.push_str(&text);
        rest = after;
    }
    filled + rest
}

/// Of this page and no other: its own style, its own form, no script, in nobody's frame.
pub fn policy() -> String {
    let style = STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
}

fn said(class: &str, role: &str, text: &str) -> String {
    format!("<p class=\"news {class}\" role=\"{role}\">{text}</p>")
}

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SECRET: &str = "<p><label for=\"secret\">The secret that you were given</label>\n\
    <input id=\"secret\" name=\"secret\" type=\"password\" autocomplete=\"off\" maxlength=\"256\" required value=\"{value}\"></p>";

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(to: &str, secret: &str) -> Wish {
        Wish { to: to.to_owned(), secret: secret.to_owned() }
    }

    #[test]
    fn nothing_that_somebody_wrote_becomes_a_part_of_the_page() {
        let evil = "\"><script>alert('x')</script>{secret}{to}&";
        let page = html("/twilio/call-me", &wish(evil, evil), true, News::Refused(evil));
        assert!(!page.contains("<script") && !page.contains("'x'"), "{page}");
        assert_eq!(page.matches("&lt;script&gt;").count(), 3, "{page}");
        assert_eq!(page.matches("type=\"password\"").count(), 1, "{page}");
        assert_eq!(page.matches("{secret}{to}").count(), 3, "{page}");
    }

    #[test]
    fn the_secret_is_asked_for_where_there_is_one() {
        assert!(!html("/", &wish("", "s"), false, News::Nothing).contains("secret"));
        assert!(html("/", &wish("", "s3"), true, News::Nothing).contains("value=\"s3\""));
    }

    #[test]
    fn a_link_fills_the_form_in_and_says_what_the_button_does() {
        let page = html("/", &wish("+15550100123", ""), false, News::Nothing);
        assert!(page.contains("value=\"+15550100123\"") && page.contains("+15550100123 rings"), "{page}");
        assert!(!html("/", &wish("", ""), false, News::Nothing).contains("rings.</p>\n<form"));
    }

    #[test]
    fn everything_that_the_page_needs_is_in_it() {
        let page = html("/twilio/call-me", &wish("", ""), true, News::Nothing);
        assert!(!page.contains("://") && !page.contains("src=") && !page.contains("href="), "{page}");
        assert!(!page.replace(STYLE, "").contains(['{', '}']) && !page.contains(" style="), "{page}");
        // Every field has its label.
        assert_eq!(page.matches("<input").count(), page.matches("<label for=").count());
        // The hash that a browser would compute.
        let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
        let hash = STANDARD.encode(digest::digest(&digest::SHA256, style.as_bytes()));
        assert!(policy().contains(&format!("'sha256-{hash}'")));
    }
}
