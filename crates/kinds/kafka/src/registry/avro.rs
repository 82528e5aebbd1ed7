//! Avro's binary encoding, read as JSON. A writer's schema says all that there is to know: nothing is resolved against a
//! reader's, so what only that needs (defaults, aliases, order) is not looked at, and schemas that are wrong in it are read.
//!
//! Source: Apache Avro 1.12 specification, "Binary encoding", "Names", "Logical types".

use super::Unread;
use base64::Engine as _;
use crosstail_core::model::Timestamp;
use serde_json::{Map, Number, Value};
use std::collections::HashMap;

/// Records in records, at most: a message must not decide how deep our stack gets.
const DEPTH: usize = 64;
/// Values of a message that take no room in it, at most (`null` in a list).
const EMPTY: usize = 10_000;

#[derive(Debug, Clone)]
enum Type {
    Null,
    Boolean,
    /// Whole numbers, and what they count.
    Whole(Whole),
    Float,
    Double,
    Bytes,
    Text,
    Fixed(usize),
    /// Big-endian numbers with so many digits behind the point, of a fixed size or not.
    Decimal(Option<usize>, u32),
    /// Months, days, milliseconds.
    Duration,
    Enum(Vec<String>),
    Array(Box<Type>),
    Map(Box<Type>),
    Union(Vec<Type>),
    Record(Vec<(String, Type)>),
    /// A type with a name, by its number.
    Named(usize),
}

/// What a whole number is.
#[derive(Debug, Clone, Copy)]
enum Whole {
    Number,
    Date,
    /// Microseconds in a unit, since midnight.
    Time(i64),
    /// Units in a second, and whether the time is UTC.
    Moment(i64, bool),
}

/// A schema that was parsed.
#[derive(Debug)]
pub(super) struct Schema {
    root: Type,
    named: Vec<Type>,
}

/// Schemas while they are parsed.
#[derive(Default)]
struct Names {
    known: HashMap<String, usize>,
    types: Vec<Type>,
}

impl Schema {
    /// Parses a schema. `references`: those that it names, each after what it needs itself.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub(super) fn parse<'t>(text: &str, references: impl Iterator<Item = &'t str>) -> Result<Self, String> {
        let json = |text: &str| match serde_json::from_str::<Value>(text) {
            Ok(value) => value,
            // A schema of one word may stand without quotes.
            Err(_) => Value::from(text),
        };
        let mut names = Names::default();
        for text in references {
            names.parse(&json(text), "", 0)?;
        }
        let root = names.parse(&json(text), "", 0)?;
        Ok(Self { root, named: names.types })
    }

    /// A message as JSON.
    pub(super) fn decode(&self, bytes: &[u8]) -> Result<Value, Unread> {
        let mut reader = Reader { schema: self, rest: bytes, empty: 0 };
        let value = reader.value(&self.root, 0)?;
        if reader.rest.is_empty() { Ok(value) } else { Err(Unread::Value("it has more bytes than its schema")) }
    }
}

impl Names {
    fn parse(&mut self, schema: &Value, space: &str, depth: usize) -> Result<Type, String> {
        if depth > DEPTH {
            return Err("too deep".to_owned());
        }
        match schema {
            Value::String(name) => self.simple(name, space),
            Value::Array(several) => {
                let types: Result<_, _> = several.iter().map(|one| self.parse(one, space, depth + 1)).collect();
                Ok(Type::Union(types?))
            }
            Value::Object(object) => self.complex(object, space, depth),
            other => Err(format!("{other} is no type")),
        }
    }

    fn simple(&self, name: &str, space: &str) -> Result<Type, String> {
        Ok(match name {
            "null" => Type::Null,
            "boolean" => Type::Boolean,
            "int" | "long" => Type::Whole(Whole::Number),
            "float" => Type::Float,
            "double" => Type::Double,
            "bytes" => Type::Bytes,
            "string" => Type::Text,
            name => {
                let inside = self.known.get(&full(name, space));
                Type::Named(*inside.or_else(|| self.known.get(name)).ok_or_else(|| format!("no type {name}"))?)
            }
        })
    }

    fn complex(&mut self, object: &Map<String, Value>, space: &str, depth: usize) -> Result<Type, String> {
        let get = |key: &str| object.get(key).ok_or_else(|| format!("a type without '{key}'"));
        let word = |key: &str| object.get(key).and_then(Value::as_str);
        let number = |key: &str| object.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let logical = word("logicalType").unwrap_or_default();
        let kind = match get("type")? {
            Value::String(kind) => kind.as_str(),
            // `{"type": {"type": "long", …}}`
            inner => return self.parse(inner, space, depth + 1),
        };
        let scale = number("scale").and_then(|scale| u32::try_from(scale).ok()).unwrap_or_default();
        match kind {
            "array" => Ok(Type::Array(Box::new(self.parse(get("items")?, space, depth + 1)?))),
            "map" => Ok(Type::Map(Box::new(self.parse(get("values")?, space, depth + 1)?))),
            "record" | "error" | "enum" | "fixed" => {
                let name = word("name").ok_or("a type without 'name'")?;
                let space = match name.rsplit_once('.') {
                    Some((space, _)) => space.to_owned(),
                    None => word("namespace").unwrap_or(space).to_owned(),
                };
                let number_of = self.types.len();
                self.known.insert(full(name, &space), number_of);
                // A record may hold itself.
                self.types.push(Type::Null);
                let made = match kind {
                    "enum" => {
                        let symbols = get("symbols")?.as_array().map(Vec::as_slice).unwrap_or_default();
                        Type::Enum(symbols.iter().filter_map(Value::as_str).map(str::to_owned).collect())
                    }
                    "fixed" => {
                        let size = number("size").ok_or("a fixed type without 'size'")?;
                        match logical {
                            "decimal" => Type::Decimal(Some(size), scale),
                            "duration" if size == 12 => Type::Duration,
                            _ => Type::Fixed(size),
                        }
                    }
                    _ => {
                        let mut fields = Vec::new();
                        for field in get("fields")?.as_array().map(Vec::as_slice).unwrap_or_default() {
                            let name = field["name"].as_str().ok_or("a field without 'name'")?;
                            fields.push((name.to_owned(), self.parse(&field["type"], &space, depth + 1)?));
                        }
                        Type::Record(fields)
                    }
                };
                self.types[number_of] = made;
                Ok(Type::Named(number_of))
            }
            "bytes" if logical == "decimal" => Ok(Type::Decimal(None, scale)),
            "int" | "long" => Ok(Type::Whole(match logical {
                "date" => Whole::Date,
                "time-millis" => Whole::Time(1000),
                "time-micros" => Whole::Time(1),
                "timestamp-millis" => Whole::Moment(1000, true),
                "timestamp-micros" => Whole::Moment(1_000_000, true),
                "timestamp-nanos" => Whole::Moment(1_000_000_000, true),
                "local-timestamp-millis" => Whole::Moment(1000, false),
                "local-timestamp-micros" => Whole::Moment(1_000_000, false),
                "local-timestamp-nanos" => Whole::Moment(1_000_000_000, false),
                _ => Whole::Number,
            })),
            other => self.simple(other, space),
        }
    }
}

/// A name with its namespace.
fn full(name: &str, space: &str) -> String {
    if name.contains('.') || space.is_empty() { name.to_owned() } else { format!("{space}.{name}") }
}

/// Reads one message.
struct Reader<'a> {
    schema: &'a Schema,
    rest: &'a [u8],
    empty: usize,
}

const CUT: Unread = Unread::Value("it is cut off, or has another schema");

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Unread> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(CUT)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unread> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(CUT)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn long(&mut self) -> Result<i64, Unread> {
        let (number, rest) = super::wire::zigzag(self.rest).ok_or(CUT)?;
        self.rest = rest;
        Ok(number)
    }

    fn length(&mut self) -> Result<usize, Unread> {
        usize::try_from(self.long()?).map_err(|_| CUT)
    }

    fn sized(&mut self) -> Result<&'a [u8], Unread> {
        let length = self.length()?;
        self.take(length)
    }

    fn value(&mut self, kind: &Type, depth: usize) -> Result<Value, Unread> {
        if depth > DEPTH {
            return Err(Unread::Value("it is deeper than crosstail reads"));
        }
        Ok(match kind {
            Type::Null => Value::Null,
            Type::Boolean => Value::from(self.array::<1>()? != [0]),
            Type::Whole(what) => what.shown(self.long()?),
            Type::Float => float(f64::from(f32::from_le_bytes(self.array()?))),
            Type::Double => float(f64::from_le_bytes(self.array()?)),
            Type::Bytes => bytes(self.sized()?),
            Type::Text => Value::from(String::from_utf8_lossy(self.sized()?)),
            Type::Fixed(size) => bytes(self.take(*size)?),
            Type::Decimal(size, scale) => {
                let digits = match size {
                    Some(size) => self.take(*size)?,
                    None => self.sized()?,
                };
                decimal(digits, *scale)
            }
            Type::Duration => {
                let mut part = || Ok::<_, Unread>(u32::from_le_bytes(self.array()?));
                let (months, days, ms) = (part()?, part()?, part()?);
                Value::from(format!("P{months}M{days}DT{}.{:03}S", ms / 1000, ms % 1000))
            }
            Type::Enum(symbols) => {
                let at = self.length()?;
                Value::from(symbols.get(at).ok_or(CUT)?.as_str())
            }
            Type::Union(types) => {
                let at = self.length()?;
                self.value(types.get(at).ok_or(CUT)?, depth + 1)?
            }
            Type::Array(of) => {
                let mut items = Vec::new();
                self.blocks(|reader| {
                    items.push(reader.value(of, depth + 1)?);
                    Ok(())
                })?;
                Value::Array(items)
            }
            Type::Map(of) => {
                let mut items = Map::new();
                self.blocks(|reader| {
                    let key = String::from_utf8_lossy(reader.sized()?).into_owned();
                    items.insert(key, reader.value(of, depth + 1)?);
                    Ok(())
                })?;
                Value::Object(items)
            }
            Type::Record(fields) => {
                let mut items = Map::new();
                for (name, kind) in fields {
                    items.insert(name.clone(), self.value(kind, depth + 1)?);
                }
                Value::Object(items)
            }
            Type::Named(number) => {
                let schema = self.schema;
                self.value(schema.named.get(*number).ok_or(CUT)?, depth + 1)?
            }
        })
    }

    /// The items of a list: blocks, each with its count; a negative one is followed by the block's size.
    fn blocks(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), Unread>) -> Result<(), Unread> {
        loop {
            let count = self.long()?;
            if count == 0 {
                return Ok(());
            }
            if count < 0 {
                self.long()?;
            }
            for _ in 0..count.unsigned_abs() {
                let before = self.rest.len();
                item(self)?;
                if self.rest.len() == before {
                    self.empty += 1;
                    if self.empty > EMPTY {
                        return Err(CUT);
                    }
                }
            }
        }
    }
}

impl Whole {
    fn shown(self, number: i64) -> Value {
        let time = |us: i64| Timestamp(us).rfc3339();
        let shown = match self {
            Self::Number => None,
            Self::Date => number.checked_mul(86_400_000_000).map(|us| time(us)[..10].to_owned()),
            Self::Time(us) => number
                .checked_mul(us)
                .filter(|us| (0..86_400_000_000).contains(us))
                .and_then(|us| Some(time(us).get(11..)?.trim_end_matches('Z').to_owned())),
            Self::Moment(units, utc) => {
                let us = if units > 1_000_000 {
                    Some(number / (units / 1_000_000))
                } else {
                    number.checked_mul(1_000_000 / units)
                };
                // Years beyond four digits are shown as the number that they are.
                us.map(time)
                    .filter(|text| text.as_bytes().get(4) == Some(&b'-'))
                    .map(|text| if utc { text } else { text.trim_end_matches('Z').to_owned() })
            }
        };
        shown.map_or_else(|| Value::from(number), Value::from)
    }
}

fn float(number: f64) -> Value {
    Number::from_f64(number).map_or_else(|| Value::from(number.to_string()), Value::Number)
}

/// Text where the bytes are one, else base64.
fn bytes(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => Value::from(text),
        Err(_) => Value::from(base64::engine::general_purpose::STANDARD.encode(bytes)),
    }
}

/// A two's complement number, big end first, with so many digits behind the point.
fn decimal(digits: &[u8], scale: u32) -> Value {
    if digits.len() > 16 || scale > 38 {
        return bytes(digits);
    }
    let negative = digits.first().is_some_and(|byte| *byte >= 0x80);
    let number = digits.iter().fold(if negative { -1_i128 } else { 0 }, |sum, byte| (sum << 8) | i128::from(*byte));
    if scale == 0 {
        return Value::from(number.to_string());
    }
    let (sign, scale) = (if number < 0 { "-" } else { "" }, scale as usize);
    let text = format!("{:0>width$}", number.unsigned_abs(), width = scale + 1);
    let (whole, rest) = text.split_at(text.len() - scale);
    Value::from(format!("{sign}{whole}.{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_fuzz::Target;
    use serde_json::json;

    fn read(schema: &Value, bytes: &[u8]) -> Value {
        let schema = Schema::parse(&schema.to_string(), std::iter::empty()).expect("a schema");
        schema.decode(bytes).expect("a value")
    }

    #[test]
    fn every_type_is_read() {
        for (schema, bytes, value) in [
            (json!("null"), &b""[..], Value::Null),
            (json!("boolean"), b"\x01", json!(true)),
            (json!("int"), b"\x7f", json!(-64)),
            (json!("long"), b"\x80\x01", json!(64)),
            (json!("float"), b"\0\0\xc0\x3f", json!(1.5)),
            (json!("double"), b"\0\0\0\0\0\0\xf8\x7f", json!("NaN")),
            (json!("bytes"), b"\x04\xff\x00", json!("/wA=")),
            (json!("string"), b"\x06foo", json!("foo")),
            (json!({"type": "fixed", "name": "f", "size": 2}), b"ab", json!("ab")),
            (json!({"type": "enum", "name": "e", "symbols": ["A", "B"]}), b"\x02", json!("B")),
            (json!({"type": "array", "items": "long"}), b"\x04\x06\x36\0", json!([3, 27])),
            (json!({"type": "array", "items": "long"}), b"\x03\x04\x06\x36\0", json!([3, 27])),
            (json!({"type": "map", "values": "int"}), b"\x02\x02a\x02\0", json!({"a": 1})),
            (json!(["null", "string"]), b"\x02\x02x", json!("x")),
            (json!(["null", "string"]), b"\0", Value::Null),
            (json!({"type": "int", "logicalType": "date"}), b"\x02", json!("1970-01-02")),
            (json!({"type": "int", "logicalType": "time-millis"}), b"\xd0\x0f", json!("00:00:01.000")),
            (
                json!({"type": "long", "logicalType": "timestamp-millis"}),
                b"\xd0\x0f",
                json!("1970-01-01T00:00:01.000Z"),
            ),
            (
                json!({"type": "long", "logicalType": "local-timestamp-micros"}),
                b"\x02",
                json!("1970-01-01T00:00:00.000001"),
            ),
            (
                json!({"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}),
                b"\x04\xfb\x2e",
                json!("-12.34"),
            ),
            (
                json!({"type": "fixed", "name": "d", "size": 2, "logicalType": "decimal", "scale": 3}),
                b"\0\x05",
                json!("0.005"),
            ),
            (
                json!({"type": "record", "name": "a.R", "fields": [{"name": "s", "type": "string"},
                    {"name": "next", "type": ["null", "R"], "default": "wrong"}]}),
                b"\x02x\x02\x02y\0",
                json!({"s": "x", "next": {"s": "y", "next": null}}),
            ),
        ] {
            assert_eq!(read(&schema, bytes), value, "{schema}");
        }
    }

    #[test]
    fn types_of_other_schemas_are_found_by_their_names() {
        let other =
            r#"{"type": "record", "name": "Partner", "namespace": "a.b", "fields": [{"name": "n", "type": "int"}]}"#;
        let text = r#"{"type": "record", "name": "Call", "namespace": "a.b", "fields": [{"name": "p", "type": "Partner"},
            {"name": "q", "type": "a.b.Partner"}]}"#;
        let schema = Schema::parse(text, std::iter::once(other)).expect("a schema");
        assert_eq!(schema.decode(b"\x02\x04").expect("a value"), json!({"p": {"n": 1}, "q": {"n": 2}}));
        assert!(Schema::parse(text, std::iter::empty()).expect_err("unknown").contains("no type Partner"));
    }

    #[test]
    fn hostile_bytes_take_neither_the_stack_nor_memory() {
        let list = json!({"type": "record", "name": "R", "fields": [{"name": "next", "type": ["null", "R"]}]});
        let parsed = Schema::parse(&list.to_string(), std::iter::empty()).expect("a schema");
        assert!(parsed.decode(&vec![2; 1_000_000]).is_err());
        let nulls = Schema::parse(r#"{"type": "array", "items": "null"}"#, std::iter::empty()).expect("a schema");
        assert!(nulls.decode(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\0").is_err());
        let long = Schema::parse("\"string\"", std::iter::empty()).expect("a schema");
        assert!(long.decode(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01a").is_err());
    }

    #[test]
    fn fuzz_avro() {
        let schema = json!({ "type": "record", "name": "r", "fields": [
            { "name": "a", "type": { "type": "array", "items": ["null", "r", "string"] } },
            { "name": "m", "type": { "type": "map", "values": { "type": "bytes", "logicalType": "decimal", "scale": 2 } } },
            { "name": "e", "type": { "type": "enum", "name": "e", "symbols": ["A", "B"] } },
        ]});
        let parsed = Schema::parse(&schema.to_string(), std::iter::empty()).expect("a schema");
        let corpus =
            vec![b"\x04\x02\0\0\x02\x04\x06foo\0\x02\x02k\x04\xff\x00\0\x02".to_vec(), schema.to_string().into_bytes()];
        let bits = ["\0", "\u{1}", "\u{2}", "\u{7f}", "{", "\"type\":", "[", "\"r\"", "\"items\":"];
        Target { name: "avro", corpus, bits: &bits, longest: 200_000 }.run(|_, input| {
            let _ = parsed.decode(input);
            let _ = Schema::parse(&String::from_utf8_lossy(input), std::iter::empty());
        });
    }
}
