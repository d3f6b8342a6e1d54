//! A small renderer for both template languages of the controller: `{{ x }}`, `{% if %}`, `{% for %}` of Jinja and `$x`,
//! `#if`, `#foreach`, `#set` of Velocity. Text that looks like neither stays as it is, so `#MODE_ENABLE` survives.

use std::collections::BTreeMap;

use serde_json::Value;

/// Values by name.
pub(crate) type Scope = BTreeMap<String, Value>;

/// Renders `content`; an unknown value renders as its own text, as the controller leaves it.
pub(crate) fn render(language: &str, content: &str, scope: &Scope) -> String {
    let tokens = if language == "VELOCITY" { velocity(content) } else { jinja(content) };
    let mut out = String::new();
    let mut scope = scope.clone();
    run(&tokens, &mut 0, &mut scope, &mut out, true);
    out
}

#[derive(Debug, PartialEq)]
enum Token {
    Text(String),
    /// Expression and the text that stands for it when it is unknown.
    Value(String, String),
    If(String),
    ElseIf(String),
    Else,
    For(String, String),
    Set(String, String),
    End,
}

/// Runs tokens until the `End`, `Else` or `ElseIf` of this level, which is left for the caller.
fn run(tokens: &[Token], at: &mut usize, scope: &mut Scope, out: &mut String, live: bool) {
    while let Some(token) = tokens.get(*at) {
        match token {
            Token::End | Token::Else | Token::ElseIf(_) => return,
            Token::Text(text) => {
                if live {
                    out.push_str(text);
                }
                *at += 1;
            }
            Token::Value(expression, literal) => {
                if live {
                    match value(expression, scope) {
                        Some(found) => out.push_str(&text_of(&found)),
                        None => out.push_str(literal),
                    }
                }
                *at += 1;
            }
            Token::Set(name, expression) => {
                if live && let Some(found) = value(expression, scope) {
                    scope.insert(name.clone(), found);
                }
                *at += 1;
            }
            Token::If(condition) => {
                let mut taken = live && holds(condition, scope);
                let mut done = taken;
                *at += 1;
                run(tokens, at, scope, out, taken);
                loop {
                    match tokens.get(*at) {
                        Some(Token::ElseIf(condition)) => {
                            taken = live && !done && holds(condition, scope);
                            done |= taken;
                        }
                        Some(Token::Else) => taken = live && !done,
                        _ => break,
                    }
                    *at += 1;
                    run(tokens, at, scope, out, taken);
                }
                *at += 1;
            }
            Token::For(name, list) => {
                *at += 1;
                let start = *at;
                let items = match value(list, scope) {
                    Some(Value::Array(items)) if live => items,
                    Some(Value::String(text)) if live => text.split(',').map(|part| Value::from(part.trim())).collect(),
                    _ => Vec::new(),
                };
                for item in items {
                    scope.insert(name.clone(), item);
                    *at = start;
                    run(tokens, at, scope, out, true);
                }
                *at = start;
                run(tokens, at, scope, &mut String::new(), false);
                *at += 1;
            }
        }
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn unquoted(text: &str) -> Option<&str> {
    let text = text.trim();
    ['"', '\''].iter().find_map(|mark| text.strip_prefix(*mark)?.strip_suffix(*mark))
}

fn value(expression: &str, scope: &Scope) -> Option<Value> {
    let mut parts = expression.split('|');
    let base = parts.next()?.trim().trim_start_matches('$').trim_start_matches('{').trim_end_matches('}');
    let mut found = match unquoted(base) {
        Some(text) => Some(Value::from(text)),
        None => match base.parse::<i64>() {
            Ok(number) => Some(Value::from(number)),
            Err(_) => {
                let mut path = base.split('.');
                let first = path.next().and_then(|name| scope.get(name.trim())).cloned();
                path.fold(first, |held, name| held.and_then(|held| held.get(name.trim()).cloned()))
            }
        },
    };
    for filter in parts.map(str::trim) {
        let (name, argument) =
            filter.split_once('(').map_or((filter, ""), |(name, rest)| (name, rest.trim_end_matches(')')));
        found = match (name.trim(), found) {
            ("default" | "d", None | Some(Value::Null)) => value(argument, scope),
            ("upper", Some(held)) => Some(Value::from(text_of(&held).to_uppercase())),
            ("lower", Some(held)) => Some(Value::from(text_of(&held).to_lowercase())),
            ("trim", Some(held)) => Some(Value::from(text_of(&held).trim())),
            (_, held) => held,
        };
    }
    found
}

fn holds(condition: &str, scope: &Scope) -> bool {
    let condition = condition.trim();
    if let Some((one, other)) = condition.split_once(" or ").or_else(|| condition.split_once("||")) {
        return holds(one, scope) || holds(other, scope);
    }
    if let Some((one, other)) = condition.split_once(" and ").or_else(|| condition.split_once("&&")) {
        return holds(one, scope) && holds(other, scope);
    }
    for (sign, wanted) in [("==", true), ("!=", false)] {
        if let Some((one, other)) = condition.split_once(sign) {
            let text = |side| value(side, scope).as_ref().map(text_of);
            return (text(one) == text(other)) == wanted;
        }
    }
    if let Some(name) = condition.strip_suffix(" is defined") {
        return value(name, scope).is_some();
    }
    if let Some(rest) = condition.strip_prefix("not ").or_else(|| condition.strip_prefix('!')) {
        return !holds(rest, scope);
    }
    match value(condition, scope) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.is_empty() && text != "false",
        Some(Value::Number(number)) => number.as_i64() != Some(0),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(_) => true,
    }
}

fn jinja(content: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = content;
    while let Some(at) = rest.find("{{").into_iter().chain(rest.find("{%")).chain(rest.find("{#")).min() {
        let (text, tail) = rest.split_at(at);
        tokens.push(Token::Text(text.to_owned()));
        let close = match tail.get(..2) {
            Some("{{") => "}}",
            Some("{%") => "%}",
            _ => "#}",
        };
        let Some(end) = tail.find(close) else {
            tokens.push(Token::Text(tail.to_owned()));
            return tokens;
        };
        let inner = tail.get(2..end).unwrap_or_default().trim_matches(['-', ' ']);
        rest = tail.get(end + 2..).unwrap_or_default();
        match close {
            "}}" => tokens.push(Token::Value(inner.to_owned(), String::new())),
            "%}" => {
                // A statement alone on its line leaves no empty line.
                let alone = text.rsplit('\n').next().is_some_and(|before| before.trim().is_empty());
                if alone && let Some(after) = rest.strip_prefix('\n') {
                    rest = after;
                }
                tokens.extend(statement(inner));
            }
            _ => {}
        }
    }
    tokens.push(Token::Text(rest.to_owned()));
    tokens
}

fn statement(inner: &str) -> Option<Token> {
    let (word, body) = inner.split_once(' ').unwrap_or((inner, ""));
    match word {
        "if" => Some(Token::If(body.to_owned())),
        "elif" => Some(Token::ElseIf(body.to_owned())),
        "else" => Some(Token::Else),
        "for" => body.split_once(" in ").map(|(name, list)| Token::For(name.trim().to_owned(), list.trim().to_owned())),
        "set" => body.split_once('=').map(|(name, value)| Token::Set(name.trim().to_owned(), value.trim().to_owned())),
        "endif" | "endfor" => Some(Token::End),
        _ => None,
    }
}

fn velocity(content: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for line in content.split_inclusive('\n') {
        let trimmed = line.trim();
        let inside = |word: &str| {
            let body = trimmed.strip_prefix(word)?.trim_start().strip_prefix('(')?;
            body.rsplit_once(')').map(|(body, _)| body.trim().to_owned())
        };
        let variable = |text: &str| text.trim().trim_start_matches('$').to_owned();
        if trimmed.starts_with("##") {
            continue;
        }
        if let Some(condition) = inside("#if") {
            tokens.push(Token::If(condition));
        } else if let Some(condition) = inside("#elseif") {
            tokens.push(Token::ElseIf(condition));
        } else if trimmed == "#else" {
            tokens.push(Token::Else);
        } else if trimmed == "#end" {
            tokens.push(Token::End);
        } else if let Some((name, list)) = inside("#foreach")
            .and_then(|body| body.split_once(" in ").map(|(name, list)| (variable(name), list.trim().to_owned())))
        {
            tokens.push(Token::For(name, list));
        } else if let Some((name, text)) = inside("#set")
            .and_then(|body| body.split_once('=').map(|(name, text)| (variable(name), text.trim().to_owned())))
        {
            tokens.push(Token::Set(name, text));
        } else {
            references(line, &mut tokens);
        }
    }
    tokens
}

/// `$name`, `${name}`, `$!name` within a line.
fn references(line: &str, tokens: &mut Vec<Token>) {
    let mut rest = line;
    while let Some(at) = rest.find('$') {
        let (text, tail) = rest.split_at(at);
        tokens.push(Token::Text(text.to_owned()));
        let mut body = tail.get(1..).unwrap_or_default();
        let quiet = body.starts_with('!');
        if quiet {
            body = body.get(1..).unwrap_or_default();
        }
        let braces = body.starts_with('{');
        let name: String =
            body.chars().skip(usize::from(braces)).take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let starts_well = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
        let length = 1 + usize::from(quiet) + name.len() + 2 * usize::from(braces);
        let literal = tail.get(..length);
        match literal {
            Some(literal) if starts_well && (!braces || literal.ends_with('}')) => {
                tokens.push(Token::Value(name, if quiet { String::new() } else { literal.to_owned() }));
                rest = tail.get(length..).unwrap_or_default();
            }
            _ => {
                tokens.push(Token::Text("$".to_owned()));
                rest = tail.get(1..).unwrap_or_default();
            }
        }
    }
    tokens.push(Token::Text(rest.to_owned()));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Scope, render};

    fn scope() -> Scope {
        Scope::from([
            ("vlan".to_owned(), json!(30)),
            ("name".to_owned(), json!("GUEST")),
            ("servers".to_owned(), json!(["10.0.0.1", "10.0.0.2"])),
        ])
    }

    #[test]
    fn jinja_values_conditions_loops_and_filters() {
        let text = "vlan {{ vlan }}\n name {{ name|lower }}\n{% if voice is defined %}\nvoice\n{% elif name == 'GUEST' %}\nguest\n{% else %}\nnone\n{% endif %}\n{% for s in servers %}\nntp server {{ s }}\n{% endfor %}\nmtu {{ mtu|default(1500) }}\n";
        assert_eq!(
            render("JINJA", text, &scope()),
            "vlan 30\n name guest\nguest\nntp server 10.0.0.1\nntp server 10.0.0.2\nmtu 1500\n"
        );
    }

    #[test]
    fn velocity_values_conditions_loops_and_directives_of_the_controller() {
        let text = "#set($x = \"a\")\nvlan ${vlan}\n#if($name == \"GUEST\")\nname $name $x\n#else\nno\n#end\n#foreach($s in $servers)\nntp server $s\n#end\n#MODE_ENABLE\nwrite memory\n#MODE_END_ENABLE\nsecret 9 $9$abc $unknown\n";
        assert_eq!(
            render("VELOCITY", text, &scope()),
            "vlan 30\nname GUEST a\nntp server 10.0.0.1\nntp server 10.0.0.2\n#MODE_ENABLE\nwrite memory\n#MODE_END_ENABLE\nsecret 9 $9$abc $unknown\n"
        );
    }
}
