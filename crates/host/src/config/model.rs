//! The checks of the models, of which agent has which, and of the hosts that agents may reach.

use std::{collections::BTreeMap, net::IpAddr};

use anchorhold_broker::{
    egress::{self, Destination, ENTRIES_LIMIT, Entry},
    ways::Prices,
};
use anchorhold_channel::SecretRef;
use anchorhold_core::{ids::FolderName, way_out::ModelApi};
use toml::Value;

use crate::config::{
    Known, Model, check,
    keys::{self, Bounds},
    problem::quote,
    report::Report,
    section::Section,
    wire,
};

/// Where a provider's own models are. What is below it is the API's.
fn home(api: ModelApi) -> &'static str {
    match api {
        ModelApi::Anthropic => "https://api.anthropic.com",
        ModelApi::OpenAi => "https://api.openai.com/v1",
    }
}

/// The file's models by name, good or bad, each with how it is spoken to, where that can be told.
pub(super) struct Models<'t> {
    names: Vec<&'t str>,
    apis: BTreeMap<&'t str, ModelApi>,
}

impl<'t> Models<'t> {
    pub(super) fn of(root: &Section<'t>) -> Self {
        let table = root.get("models").and_then(Value::as_table);
        let mut names = Vec::new();
        let mut apis = BTreeMap::new();
        for (name, model) in table.into_iter().flatten() {
            names.push(name.as_str());
            let api = model.as_table().and_then(|model| model.get("provider"));
            if let Some(api) = api.and_then(Value::as_str).and_then(ModelApi::parse) {
                apis.insert(name.as_str(), api);
            }
        }
        names.sort_unstable();
        Self { names, apis }
    }
}

/// Checks every model.
pub(super) fn models(report: &mut Report, root: &Section<'_>) -> Vec<Model> {
    let sections = root.named(report, "models").into_iter();
    sections
        .filter_map(|(name, section)| model(report, name, &section))
        .collect()
}

fn model(report: &mut Report, name: &str, section: &Section<'_>) -> Option<Model> {
    section.refuse_others(report, keys::MODEL);
    // The same characters as all names in the file.
    if let Err(error) = FolderName::parse(name) {
        let what = error.to_string();
        report.add(section.at(), what);
    }
    let words: Vec<&str> = ModelApi::ALL.iter().map(|api| api.as_str()).collect();
    let hint = report.suggest("", &words);
    let word = section.required(report, "provider", &hint);
    let api = word.and_then(ModelApi::parse);
    if let (Some(word), None) = (word, api) {
        let suggestion = report.suggest(word, &words);
        let what = format!("models have no provider {}{suggestion}", quote(word));
        report.add(&section.key("provider"), what);
    }
    section.required(report, "model", "; it is what the provider calls it");
    let id = section.text(report, "model", keys::MODEL_LIMIT_CHARS);
    let key = key(report, section, api);
    let base_url = base_url(report, section, api);
    let prices = prices(report, section);
    let max_output_tokens = opt_count(report, section, "max_output_tokens", &keys::OUTPUT_TOKENS);
    let context_tokens = opt_count(report, section, "context_tokens", &keys::CONTEXT_TOKENS);
    let effort = section.text(report, "effort", keys::EFFORT_LIMIT_CHARS);
    let responses = section.choice(report, "api", &keys::API);
    if responses && api == Some(ModelApi::Anthropic) {
        let what = "has \"responses\" for the provider \"openai\" only";
        report.add(&section.key("api"), what);
    }
    Some(Model {
        name: name.to_owned(),
        responses,
        provider: api?,
        base_url: base_url?,
        model: id?.to_owned(),
        key,
        prices,
        max_output_tokens,
        context_tokens,
        effort: effort.map(str::to_owned),
    })
}

fn opt_count(
    report: &mut Report,
    section: &Section<'_>,
    key: &str,
    bounds: &Bounds<u32>,
) -> Option<u32> {
    section.get(key)?;
    Some(section.count(report, key, bounds))
}

fn key(report: &mut Report, section: &Section<'_>, api: Option<ModelApi>) -> Option<SecretRef> {
    let Some(text) = section.raw_text(report, "key") else {
        if section.get("key").is_none() && section.get("base_url").is_none() && api.is_some() {
            let what = "is missing: write \"env:NAME\" or \"file:/path\", where the key is";
            report.add(&section.key("key"), what);
        }
        return None;
    };
    SecretRef::parse(text)
        .map_err(|error| report.add(&section.key("key"), error.to_string()))
        .ok()
}

fn base_url(report: &mut Report, section: &Section<'_>, api: Option<ModelApi>) -> Option<String> {
    let Some(text) = section.text(report, "base_url", keys::URL_LIMIT_CHARS) else {
        return api.map(|api| home(api).to_owned());
    };
    let text = text.trim_end_matches('/');
    if let Err(what) = check_url(text) {
        report.add(&section.key("base_url"), what);
        return None;
    }
    if api == Some(ModelApi::Anthropic) && text.ends_with("/v1") {
        let what = "ends in /v1, which is added to it: leave that away";
        report.add(&section.key("base_url"), what);
    }
    Some(text.to_owned())
}

/// What is wrong with a base URL. The key goes there, so it is not sent in the open over the internet.
fn check_url(text: &str) -> Result<(), &'static str> {
    let none = "is no base URL, such as \"https://api.example.org/v1\"";
    let (scheme, rest) = text.split_once("://").ok_or(none)?;
    let odd = |c: char| c.is_whitespace() || matches!(c, '?' | '#' | '@' | '\\');
    if rest.contains(odd) || !rest.is_ascii() {
        return Err("may have no user, query, fragment or blank");
    }
    let authority = rest.split('/').next().unwrap_or_default();
    let to = Destination::of_https(authority, None).map_err(|_bad| none)?;
    match scheme {
        "https" => Ok(()),
        "http" if is_near(&to.host) => Ok(()),
        "http" => Err("must begin with https://, since it is not of this machine or network"),
        _ => Err(none),
    }
}

/// Is this a host of this machine or network?
fn is_near(host: &egress::Host) -> bool {
    match host {
        egress::Host::Address(address) => !egress::is_public(IpAddr::to_canonical(address)),
        egress::Host::Name(name) => {
            let ends = [".local", ".lan", ".internal", ".localhost"];
            !name.contains('.') || ends.iter().any(|end| name.ends_with(end))
        }
    }
}

fn prices(report: &mut Report, model: &Section<'_>) -> Option<Prices> {
    let given = model.get("prices")?;
    let section = model.section(report, "prices");
    given.as_table()?;
    section.refuse_others(report, keys::PRICES);
    for key in keys::PRICES {
        // Where less than nothing makes no difference it is nothing; here it would be a gift.
        let value = section.get(key);
        if value.is_some_and(|value| {
            value.as_integer().is_some_and(|price| price < 0)
                || value.as_float().is_some_and(|price| price < 0.0)
        }) {
            report.add(&section.key(key), "must not be below 0");
        }
        if value.is_none() && matches!(*key, "input" | "output") {
            let what = "is missing: it is in dollars for a million tokens";
            report.add(&section.key(key), what);
        }
    }
    let input = section.thousandths(report, "input", &keys::PRICE);
    // Nobody is told a lower price than may be asked for.
    let as_input = Bounds {
        default: input,
        ..keys::PRICE
    };
    Some(Prices {
        input,
        output: section.thousandths(report, "output", &keys::PRICE),
        cache_read: section.thousandths(report, "cache_read", &as_input),
        cache_write: section.thousandths(report, "cache_write", &as_input),
    })
}

/// The model and the provider of an agent.
pub(super) fn of_agent<'t>(
    report: &mut Report,
    section: &Section<'t>,
    models: &Models<'_>,
    (known, implied): (Known<'_>, Option<&str>),
) -> (Option<&'t str>, Option<String>) {
    let model = section.text(report, "model", keys::NAME_LIMIT_CHARS);
    if let Some(name) = model {
        let at = section.key("model");
        wire::known(report, &at, (name, "model"), &models.names);
    }
    let api = model.and_then(|name| models.apis.get(name).copied());
    let is_given = section.get("provider").is_some();
    if !is_given && implied.is_none() && model.is_some() {
        return (model, api.map(|api| api.as_str().to_owned()));
    }
    let provider = match implied {
        Some(implied) if !is_given => Some(implied),
        _ => check::one_of(report, section, ("provider", "provider"), known.providers),
    };
    let calls = provider.and_then(ModelApi::of_provider);
    match (calls, model, api) {
        (Some(_), None, _) => {
            let what = format!(
                "is missing: the provider {} calls a model{}",
                quote(provider.unwrap_or_default()),
                report.suggest("", &models.names)
            );
            report.add(&section.key("model"), what);
        }
        (Some(calls), Some(name), Some(api))
            if calls != api && provider != Some(calls.as_str()) =>
        {
            let what = format!(
                "{} has the provider {}, and {} calls models of {}",
                quote(name),
                quote(api.as_str()),
                quote(provider.unwrap_or_default()),
                quote(calls.as_str())
            );
            report.add(&section.key("model"), what);
        }
        (Some(calls), Some(name), Some(api)) if calls != api => {
            let what = format!(
                "is not that of the model {}, which has {}: leave it away",
                quote(name),
                quote(api.as_str())
            );
            report.add(&section.key("provider"), what);
        }
        (Some(_) | None, ..) => {}
    }
    (model, provider.map(str::to_owned))
}

/// The hosts that an agent may reach.
pub(super) fn egress(report: &mut Report, agent: &Section<'_>) -> Vec<Entry> {
    let texts = agent.texts(report, "egress");
    if texts.len() > ENTRIES_LIMIT {
        let what = format!(
            "has {} hosts; at most {ENTRIES_LIMIT} are accepted",
            texts.len()
        );
        report.add(&agent.key("egress"), what);
        return Vec::new();
    }
    let mut entries = Vec::with_capacity(texts.len());
    for (at, text) in texts {
        match Entry::parse(text) {
            Ok(entry) => entries.push(entry),
            Err(error) => report.add(&at, error.to_string()),
        }
    }
    entries
}

#[cfg(test)]
mod tests;
