//! The few `javascript:` values that clients put into queries: who asks, and times relative to now. Others are taken as
//! text, so that they match nothing.

use jiff::{SignedDuration, Timestamp};

use super::Asking;
use crate::records::{parse_time, time_text};

/// A value with its script carried out.
pub(super) fn value(text: &str, asking: &Asking<'_>) -> String {
    let Some(script) = text.strip_prefix("javascript:") else { return text.to_owned() };
    run(script.trim().trim_end_matches(';'), asking).unwrap_or_else(|| text.to_owned())
}

fn run(script: &str, asking: &Asking<'_>) -> Option<String> {
    let (name, arguments) = script.strip_prefix("gs.")?.strip_suffix(')')?.split_once('(')?;
    let now = asking.records.now();
    let count = || arguments.trim().parse::<i64>().ok();
    let ago = |seconds: i64| now.checked_sub(SignedDuration::from_secs(seconds)).ok();
    let text = |at: Timestamp| Some(time_text(at));
    match name {
        "getUserID" => Some(asking.user.to_owned()),
        "getUserName" => asking.records.find("sys_user", asking.user).map(|row| row.get("user_name").to_owned()),
        "now" | "nowDateTime" => text(now),
        "daysAgo" => text(ago(count()? * DAY)?),
        "hoursAgo" => text(ago(count()? * 3_600)?),
        "minutesAgo" => text(ago(count()? * 60)?),
        "daysAgoStart" => text(midnight(ago(count()? * DAY)?)?),
        "daysAgoEnd" => text(day_end(ago(count()? * DAY)?)?),
        "hoursAgoStart" => text(floor(ago(count()? * 3_600)?, 3_600)?),
        "hoursAgoEnd" => {
            text(floor(ago(count()? * 3_600)?, 3_600)?.checked_add(SignedDuration::from_secs(3_599)).ok()?)
        }
        "minutesAgoStart" => text(floor(ago(count()? * 60)?, 60)?),
        "minutesAgoEnd" => text(floor(ago(count()? * 60)?, 60)?.checked_add(SignedDuration::from_secs(59)).ok()?),
        "beginningOfToday" => text(midnight(now)?),
        "endOfToday" => text(day_end(now)?),
        "beginningOfYesterday" => text(midnight(ago(DAY)?)?),
        "endOfYesterday" => text(day_end(ago(DAY)?)?),
        "beginningOfLast7Days" => text(midnight(ago(7 * DAY)?)?),
        "endOfLast7Days" => text(day_end(now)?),
        "beginningOfLast30Days" => text(midnight(ago(30 * DAY)?)?),
        "endOfLast30Days" => text(day_end(now)?),
        "dateGenerate" => {
            let parts: Vec<&str> = arguments.split(',').map(|part| part.trim().trim_matches(['\'', '"'])).collect();
            let (date, time) = (parts.first()?, parts.get(1).copied().unwrap_or("00:00:00"));
            let time = match time {
                "start" => "00:00:00",
                "end" => "23:59:59",
                other => other,
            };
            parse_time(&format!("{date} {time}")).map(time_text)
        }
        _ => None,
    }
}

const DAY: i64 = 86_400;

fn floor(at: Timestamp, seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(at.as_second().div_euclid(seconds) * seconds).ok()
}

fn midnight(at: Timestamp) -> Option<Timestamp> {
    floor(at, DAY)
}

fn day_end(at: Timestamp) -> Option<Timestamp> {
    midnight(at)?.checked_add(SignedDuration::from_secs(DAY - 1)).ok()
}
