//! The plaintext of a version: field names and values, each with its length before it. Not JSON, since a serialiser
//! would leave copies of the values in buffers that nobody overwrites.

use std::collections::BTreeMap;

use platform::error::Error;
use platform::secret::Secret;
use zeroize::Zeroizing;

/// The authentication tag that sealing appends.
pub(crate) const TAG: usize = 16;

/// Room for the tag is kept, because a buffer that grows leaves its old place behind unwiped.
pub(crate) fn encode(data: &BTreeMap<String, Secret>) -> Result<Zeroizing<Vec<u8>>, Error> {
    let texts = || data.iter().flat_map(|(name, value)| [name.as_str(), value.expose()]);
    let size = texts().map(|text| 4 + text.len()).sum::<usize>() + TAG;
    let mut bytes = Zeroizing::new(Vec::with_capacity(size));
    for text in texts() {
        let length = u32::try_from(text.len()).map_err(|_| Error::internal("a field is longer than 4 GiB"))?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    Ok(bytes)
}

/// The reverse of [`encode`]; nothing when the bytes are not of that form.
pub(crate) fn decode(mut bytes: &[u8]) -> Option<BTreeMap<String, Secret>> {
    let mut data = BTreeMap::new();
    while !bytes.is_empty() {
        let name = take(&mut bytes)?.to_owned();
        data.insert(name, Secret::new(take(&mut bytes)?));
    }
    Some(data)
}

fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (text, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *bytes = rest;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use platform::secret::Secret;

    #[test]
    fn fields_come_back_and_cut_bytes_do_not() {
        let data: BTreeMap<_, _> =
            [("user", "ä"), ("", ""), ("pass", "x y")].map(|(k, v)| (k.to_owned(), Secret::new(v))).into();
        let bytes = super::encode(&data).unwrap();
        assert_eq!(bytes.capacity(), bytes.len() + super::TAG);
        let shown = |d: &BTreeMap<String, Secret>| -> Vec<_> {
            d.iter().map(|(k, v)| (k.clone(), v.expose().to_owned())).collect()
        };
        assert_eq!(shown(&super::decode(&bytes).unwrap()), shown(&data));
        assert!(super::decode(&bytes[..bytes.len() - 1]).is_none());
        assert!(super::decode(&bytes[..2]).is_none());
    }
}
