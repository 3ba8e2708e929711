//! Every rule of models, and of what agents may reach.

use anchorhold_channel::SecretRef;

use crate::config::tests::{check, read};

/// Checks the problem of one line of a model that is else in order.
#[track_caller]
fn check_model(line: &str, expect: &str) {
    let text =
        format!("[models.m]\nprovider = \"anthropic\"\nmodel = \"x\"\nkey = \"env:K\"\n{line}\n");
    let expect: Vec<String> = [expect]
        .iter()
        .filter(|expect| !expect.is_empty())
        .map(|expect| format!("models.m.{expect} (line 5)"))
        .collect();
    let expect: Vec<&str> = expect.iter().map(String::as_str).collect();
    check(&text, &expect);
}

#[test]
fn a_model_needs_a_provider_a_name_and_at_home_a_key() {
    check(
        "[models.a]\n[models.b]\nprovider = \"antropic\"\nmodel = \"\"\n[models.c]\n\
         provider = \"openai\"\nmodel = \"x\"\n[models.'.d']\nprovider = \"openai\"\nmodel = 1\n\
         key = \"sk-123\"\n",
        &[
            "models.a.model: is missing; it is what the provider calls it (line 1)",
            "models.a.provider: is missing; there are \"anthropic\", \"openai\" (line 1)",
            "models.b.provider: models have no provider \"antropic\"; did you mean \
             \"anthropic\"? (line 3)",
            "models.b.model: is empty (line 4)",
            "models.c.key: is missing: write \"env:NAME\" or \"file:/path\", where the key is \
             (line 5)",
            "models.\".d\": folder name may have only a-z, A-Z, 0-9, `-` and `_`, and starts \
             with a letter or a digit (line 8)",
            "models.\".d\".model: must be text in quotes, and is a whole number (line 10)",
            "models.\".d\".key: a secret is given as `env:NAME` or `file:PATH`, never in the \
             file itself (line 11)",
        ],
    );
}

#[test]
fn each_provider_has_a_home() {
    let text = "[models.a]\nprovider = \"anthropic\"\nmodel = \"x\"\nkey = \"file:/k\"\n\
                [models.b]\nprovider = \"openai\"\nmodel = \"y\"\nkey = \"env:K\"\n";
    let config = read(text).unwrap();
    let homes: Vec<_> = config.models.iter().map(|m| m.base_url.as_str()).collect();
    assert_eq!(
        homes,
        ["https://api.anthropic.com", "https://api.openai.com/v1"]
    );
    assert_eq!(config.models[0].key, Some(SecretRef::File("/k".into())));
    assert_eq!(config.models[1].prices, None);
    let again = read(&config.to_text().unwrap()).unwrap();
    assert_eq!(again.models, config.models);
}

#[test]
fn rules_of_models() {
    let none = "base_url: is no base URL, such as \"https://api.example.org/v1\"";
    let near = "base_url: must begin with https://, since it is not of this machine or network";
    let odd = "base_url: may have no user, query, fragment or blank";
    for (line, expect) in [
        ("base_url = \"https://example.org/api/\"", ""),
        ("base_url = \"http://127.0.0.1:11434\"", ""),
        ("base_url = \"http://[::1]:8080\"", ""),
        ("base_url = \"http://192.168.1.7\"", ""),
        ("base_url = \"http://gpu.local:8000\"", ""),
        ("base_url = \"http://example.org\"", near),
        ("base_url = \"http://8.8.8.8\"", near),
        ("base_url = \"ftp://localhost\"", none),
        ("base_url = \"localhost\"", none),
        ("base_url = \"https://\"", none),
        ("base_url = \"https://u:p@example.org\"", odd),
        ("base_url = \"https://example.org/?a=b\"", odd),
        (
            "base_url = \"https://example.org/v1\"",
            "base_url: ends in /v1, which is added to it: leave that away",
        ),
        (
            "max_output_tokens = 255",
            "max_output_tokens: must be from 256 to 1000000",
        ),
        (
            "context_tokens = 7999",
            "context_tokens: must be from 8000 to 100000000",
        ),
        ("effort = \"\"", "effort: is empty"),
        (
            "prices = 1",
            "prices: must be a table, and is a whole number",
        ),
        (
            "prices = { input = 1 }",
            "prices.output: is missing: it is in dollars for a million tokens",
        ),
        (
            "prices = { input = -1, output = 0 }",
            "prices.input: must not be below 0",
        ),
        (
            "prices = { input = 1, output = 0, cached = 1 }",
            "prices.cached: unknown key; there are \"input\", \"output\", \"cache_read\", \
             \"cache_write\"",
        ),
        (
            "api_key = \"env:K\"",
            "api_key: unknown key; there are \"provider\", \"base_url\", \"model\", \"key\", \
             \"max_output_tokens\", \"context_tokens\", \"effort\", \"api\", \"prices\"",
        ),
    ] {
        check_model(line, expect);
    }
}

const MODELS: &str = "models.a = { provider = \"anthropic\", model = \"x\", key = \"env:K\" }\n\
                      models.o = { provider = \"openai\", model = \"x\", key = \"env:K\" }\n";

#[test]
fn an_agents_provider_is_its_models() {
    let agents = "[agents.one]\nmodel = \"a\"\n[agents.two]\nmodel = \"o\"\n\
                  provider = \"openai\"\n[agents.three]\nmodel = \"o\"\nprovider = \"offline\"\n";
    let config = read(&format!("{MODELS}{agents}")).unwrap();
    let providers: Vec<_> = config.agents.iter().map(|a| a.provider.as_str()).collect();
    assert_eq!(providers, ["anthropic", "offline", "openai"]);
    for (agent, expect) in [
        (
            "model = \"beta\"",
            "agents.x.model: there is no model \"beta\"; there are \"a\", \"o\" (line 4)",
        ),
        (
            "provider = \"openai\"",
            "agents.x.model: is missing: the provider \"openai\" calls a model; there are \"a\", \
             \"o\" (line 3)",
        ),
        (
            "model = \"a\"\nprovider = \"openai\"",
            "agents.x.provider: is not that of the model \"a\", which has \"anthropic\": leave \
             it away (line 5)",
        ),
    ] {
        check(&format!("{MODELS}[agents.x]\n{agent}\n"), &[expect]);
    }
}

#[test]
fn rules_of_egress() {
    let agent = |egress: &str| format!("[agents.a]\nprovider = \"offline\"\negress = {egress}\n");
    assert_eq!(read(&agent("[]")).unwrap().agents[0].egress, []);
    check(
        &agent("[\"example.org\", \"an example\", 7]"),
        &[
            "agents.a.egress[1]: is no host: write a name such as \"example.org\", \
             \"*.example.org\" or an address, with \":PORT\" where it is not 443 (line 3)",
            "agents.a.egress[2]: must be text in quotes, and is a whole number (line 3)",
        ],
    );
    check(
        &agent("\"example.org\""),
        &["agents.a.egress: must be a list of texts in quotes, and is text (line 3)"],
    );
    let many: Vec<String> = (0..257).map(|n| format!("\"h{n}.org\"")).collect();
    check(
        &agent(&format!("[{}]", many.join(", "))),
        &["agents.a.egress: has 257 hosts; at most 256 are accepted (line 3)"],
    );
}
