//! Emoji by Slack's names: <https://docs.slack.dev/reference/methods/reactions.add>.
//!
//! Most have the names that others use, too; where Slack has another one, it stands here.

use emojis::SkinTone;

/// Between a name and the tone of its skin.
const TONE: &str = "::skin-tone-";

/// The tones, which Slack counts from 2, as their characters are named.
const TONES: [SkinTone; 5] = [
    SkinTone::Light,
    SkinTone::MediumLight,
    SkinTone::Medium,
    SkinTone::MediumDark,
    SkinTone::Dark,
];
const FIRST_TONE: usize = 2;

/// Where Slack's name is another one, or one of many.
const OWN: &[(&str, &str)] = &[
    ("thumbsup", "👍"),
    ("thumbsdown", "👎"),
    ("thinking_face", "🤔"),
    ("hugging_face", "🤗"),
    ("face_with_rolling_eyes", "🙄"),
    ("rolling_on_the_floor_laughing", "🤣"),
    ("slightly_smiling_face", "🙂"),
    ("white_frowning_face", "☹️"),
    ("simple_smile", "🙂"),
    ("star-struck", "🤩"),
    ("zany_face", "🤪"),
    ("face_with_monocle", "🧐"),
    ("shushing_face", "🤫"),
    ("exploding_head", "🤯"),
    ("face_with_hand_over_mouth", "🤭"),
    ("smiling_face_with_3_hearts", "🥰"),
    ("nerd_face", "🤓"),
    ("money_mouth_face", "🤑"),
    ("zipper_mouth_face", "🤐"),
    ("face_with_thermometer", "🤒"),
    ("face_with_head_bandage", "🤕"),
    ("robot_face", "🤖"),
    ("the_horns", "🤘"),
    ("sign_of_the_horns", "🤘"),
    ("hand_with_index_and_middle_fingers_crossed", "🤞"),
    ("face_palm", "🤦"),
    ("shrug", "🤷"),
    ("heavy_check_mark", "✔️"),
    ("white_check_mark", "✅"),
    ("tada", "🎉"),
    ("party_popper", "🎉"),
    ("hourglass_flowing_sand", "⏳"),
    ("heavy_heart_exclamation_mark_ornament", "❣️"),
    ("knife_fork_plate", "🍽️"),
    ("writing_hand", "✍️"),
    ("male-technologist", "👨‍💻"),
    ("female-technologist", "👩‍💻"),
    ("flag-de", "🇩🇪"),
    ("flag-us", "🇺🇸"),
    ("flag-gb", "🇬🇧"),
    ("flag-fr", "🇫🇷"),
];

/// The emoji with this name; `None` for those that a workspace has made itself.
pub(crate) fn unicode(name: &str) -> Option<String> {
    let (base, tone) = match name.split_once(TONE) {
        Some((base, tone)) => (base, Some(skin(tone)?)),
        None => (name, None),
    };
    let own = OWN.iter().find(|(known, _)| *known == base);
    let found = match own {
        Some((_, emoji)) => emojis::get(emoji),
        None => emojis::get_by_shortcode(base)
            .or_else(|| emojis::get_by_shortcode(&base.replace('-', "_"))),
    };
    let emoji = found?;
    let toned = tone.and_then(|tone| emoji.with_skin_tone(tone));
    Some(toned.unwrap_or(emoji).as_str().to_owned())
}

/// The names that Slack may have for an emoji, the likeliest first.
pub(crate) fn names(emoji: &str) -> Vec<String> {
    let Some(found) = emojis::get(emoji.trim()) else {
        return Vec::new();
    };
    let plain = found.with_skin_tone(SkinTone::Default).unwrap_or(found);
    let tone = found.skin_tone().and_then(number);
    let own = OWN
        .iter()
        .filter(|(_, own)| emojis::get(own) == Some(plain));
    let mut names: Vec<&str> = own.map(|(name, _)| *name).collect();
    names.extend(
        plain
            .shortcodes()
            .filter(|code| !names.contains(code))
            .collect::<Vec<_>>(),
    );
    let toned = |name: &str| match tone {
        Some(tone) => format!("{name}{TONE}{tone}"),
        None => name.to_owned(),
    };
    names.into_iter().map(toned).collect()
}

/// The tone with a number.
fn skin(number: &str) -> Option<SkinTone> {
    let at = number.parse::<usize>().ok()?.checked_sub(FIRST_TONE)?;
    TONES.get(at).copied()
}

/// The number of a tone.
fn number(tone: SkinTone) -> Option<usize> {
    let at = TONES.iter().position(|one| *one == tone)?;
    Some(at + FIRST_TONE)
}

#[cfg(test)]
mod tests;
