//! Which keys need a reference.

use crate::config::secret::is_secret_name;

#[test]
fn names_tell_secrets() {
    for key in [
        "token",
        "bot_token",
        "botToken",
        "API-KEY",
        "app_tokens",
        "Password",
    ] {
        assert!(is_secret_name(key), "{key}");
    }
    for key in [
        "key",
        "public_key",
        "token_file",
        "socket",
        "url",
        "keys",
        "s",
        "",
    ] {
        assert!(!is_secret_name(key), "{key}");
    }
}
