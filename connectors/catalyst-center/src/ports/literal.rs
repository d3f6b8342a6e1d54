//! A text as the content of a template that renders to exactly this text: nothing in it is a directive, and its secrets are
//! parameters (T21). The language is Jinja, whose expressions can write every character sequence; Velocity's escapes depend
//! on which names are defined.

use std::collections::BTreeMap;

use device_config::{MASK, Platform};
use platform::{Error, ErrorKind};

/// The content, and the secrets by the names of their parameters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Literal {
    pub(super) content: String,
    pub(super) secrets: BTreeMap<String, String>,
}

/// Names of parameters: `secret_1`, `secret_2`, …
const PARAMETER: &str = "secret_";
/// What opens an expression, a statement or a comment of Jinja.
const OPENINGS: [&str; 3] = ["{{", "{%", "{#"];
/// What the controller reads in a rendered template, wherever it stands in a line.
const TAGS: [&str; 6] = ["<MLTCMD>", "</MLTCMD>", "<IQ>", "<R>", "<SF>", "<REGEX>"];

/// Makes it, or says why the text cannot be staged: `staged_text_unsafe`.
pub(super) fn literal(platform: Platform, text: &str) -> Result<Literal, Error> {
    let unsafe_text = |why: &str| {
        Err(Error::new(
            ErrorKind::InvalidInput,
            "staged_text_unsafe",
            format!("The text cannot be staged as a template: {why}. It has to be entered in another way."),
        ))
    };
    if text.contains(|c: char| c.is_control() && c != '\n' && c != '\t') {
        return unsafe_text("it has control characters");
    }
    let upper = text.to_ascii_uppercase();
    if TAGS.iter().any(|tag| upper.contains(tag)) {
        return unsafe_text("it has tags that Catalyst Center reads");
    }
    match device_config::template_lines(platform, text) {
        Err(_) => return unsafe_text("it has directives that Catalyst Center reads"),
        Ok(lines) if !lines.exec.is_empty() => return unsafe_text("it leaves the configuration and runs commands"),
        Ok(_) => {}
    }
    let masked = device_config::mask(platform, text).text;
    let mut literal = Literal { content: String::new(), secrets: BTreeMap::new() };
    let mut banner: Option<char> = None;
    for (line, masked) in text.lines().zip(masked.lines()) {
        let opens = banner.is_none().then(|| banner_of(line)).flatten();
        if banner.is_none() && line.trim().is_empty() {
            continue;
        }
        if opens.is_some() {
            literal.content.push_str("<MLTCMD>");
        }
        literal.line(line, masked);
        if let Some(delimiter) = opens {
            banner = Some(delimiter);
        } else if banner.is_some_and(|delimiter| line.contains(delimiter)) {
            banner = None;
            literal.content.push_str("</MLTCMD>");
        }
        literal.content.push('\n');
    }
    if banner.is_some() {
        return unsafe_text("a banner in it does not end");
    }
    Ok(literal)
}

/// The delimiter of a banner that begins on this line and does not end on it.
fn banner_of(line: &str) -> Option<char> {
    let mut words = line.trim_start().splitn(3, ' ');
    if words.next() != Some("banner") {
        return None;
    }
    let (_kind, rest) = (words.next()?, words.next()?.trim_start());
    // Written as `^C`, or as the character itself.
    let (delimiter, rest) = match rest.strip_prefix("^C") {
        Some(rest) => ('^', rest),
        None => (rest.chars().next()?, rest.get(rest.chars().next()?.len_utf8()..)?),
    };
    (!rest.contains(delimiter)).then_some(delimiter)
}

impl Literal {
    /// Adds a line; where it holds a secret, that is a parameter.
    fn line(&mut self, line: &str, masked: &str) {
        if line == masked || !masked.contains(MASK) {
            return self.plain(line);
        }
        // Masking joins words by single spaces.
        let indent = line.get(..line.len() - line.trim_start().len()).unwrap_or_default();
        let joined = format!("{indent}{}", line.split_whitespace().collect::<Vec<_>>().join(" "));
        let parts: Vec<&str> = masked.split(MASK).collect();
        match secrets_between(&joined, &parts) {
            Some(secrets) => {
                for (part, secret) in parts.iter().zip(secrets.into_iter().map(Some).chain([None])) {
                    self.plain(part);
                    if let Some(secret) = secret {
                        self.parameter(secret);
                    }
                }
            }
            // Which part is the secret cannot be told: then all of it is.
            None => self.parameter(line),
        }
    }

    fn parameter(&mut self, secret: &str) {
        let name = format!("{PARAMETER}{}", self.secrets.len() + 1);
        self.content.push_str(&format!("{{{{ {name} }}}}"));
        self.secrets.insert(name, secret.to_owned());
    }

    fn plain(&mut self, text: &str) {
        let mut rest = text;
        while let Some((at, opening)) =
            OPENINGS.iter().filter_map(|opening| Some((rest.find(opening)?, opening))).min_by_key(|(at, _)| *at)
        {
            let (before, after) = rest.split_at(at);
            self.content.push_str(before);
            self.content.push_str(&format!("{{{{ '{opening}' }}}}"));
            rest = after.get(opening.len()..).unwrap_or_default();
        }
        self.content.push_str(rest);
    }
}

/// The texts between the parts of a line, where there is one way only to find them.
fn secrets_between<'a>(line: &'a str, parts: &[&str]) -> Option<Vec<&'a str>> {
    let (first, middle) = parts.split_first()?;
    let (last, middle) = middle.split_last()?;
    let mut rest = line.strip_prefix(first)?.strip_suffix(last)?;
    let mut secrets = Vec::new();
    for part in middle {
        let (secret, after) = rest.split_once(part).filter(|_| !part.is_empty())?;
        secrets.push(secret);
        rest = after;
    }
    secrets.push(rest);
    secrets.iter().all(|secret| !secret.is_empty()).then_some(secrets)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use device_config::Platform;

    use super::literal;

    fn made(text: &str) -> (String, BTreeMap<String, String>) {
        let made = literal(Platform::IosXe, text).unwrap();
        (made.content, made.secrets)
    }

    #[test]
    fn t21_secrets_are_parameters_and_everything_else_is_literal() {
        let text = "username ops privilege 15 secret 9 $9$abc\n snmp-server community s3cret-x RO 10\n\nvlan 5\n name {{a}}{%b\n";
        let (content, secrets) = made(text);
        assert_eq!(
            content,
            "username ops privilege 15 secret 9 {{ secret_1 }}\n snmp-server community {{ secret_2 }} RO 10\nvlan 5\n name \
             {{ '{{' }}a}}{{ '{%' }}b\n"
        );
        assert_eq!(secrets["secret_1"], "$9$abc");
        assert_eq!(secrets["secret_2"], "s3cret-x");
    }

    #[test]
    fn velocity_is_nothing_here() {
        assert_eq!(
            made("interface Vlan1\n description $x #if(a) #set\n").0,
            "interface Vlan1\n description $x #if(a) #set\n"
        );
    }

    #[test]
    fn a_banner_is_one_command() {
        let (content, _) = made("banner login ^C\n### no entry ###\n\nplease\n^C\nvlan 5\nbanner motd #short#\n");
        assert_eq!(
            content,
            "<MLTCMD>banner login ^C\n### no entry ###\n\nplease\n^C</MLTCMD>\nvlan 5\nbanner motd #short#\n"
        );
    }

    #[test]
    fn t21_what_the_controller_would_obey_is_refused() {
        for text in [
            "vlan 5\n#MODE_ENABLE\nreload\n#MODE_END_ENABLE\n",
            " #mode_enable\n",
            "#INTERACTIVE\n",
            "banner motd x</MLTCMD>\n",
            "crypto key zeroize<IQ>yes<R>yes\n",
            "vlan 5\nend\nreload\n",
            "do reload\n",
            "vlan 5\rreload\n",
            "vlan 5\u{8}\n",
            "banner login ^C\nno end\n",
        ] {
            assert_eq!(literal(Platform::IosXe, text).unwrap_err().code(), "staged_text_unsafe", "{text:?}");
        }
    }
}
