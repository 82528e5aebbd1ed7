//! Messages of Protobuf as JSON, by the text of their schema.

use super::Unread;
use super::wire::zigzag;
use prost_reflect::{DynamicMessage, FileDescriptor, MessageDescriptor, SerializeOptions};
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use serde_json::Value;

/// The name of a schema's own file: a registry has none for it.
const FILE: &str = "schema.proto";
/// Files that every registry of Confluent's knows without being told.
const KNOWN: [(&str, &str); 2] = [
    (
        "confluent/meta.proto",
        "syntax = \"proto3\"; package confluent; import \"google/protobuf/descriptor.proto\";\n\
         message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; }\n\
         extend google.protobuf.FileOptions { Meta file_meta = 1088; }\n\
         extend google.protobuf.MessageOptions { Meta message_meta = 1088; }\n\
         extend google.protobuf.FieldOptions { Meta field_meta = 1088; }\n\
         extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }\n\
         extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }",
    ),
    (
        "confluent/type/decimal.proto",
        "syntax = \"proto3\"; package confluent.type;\n\
         message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }",
    ),
];

/// A schema that was compiled.
#[derive(Debug)]
pub(super) struct Schema(FileDescriptor);

/// The files of a schema, by the names by which they are imported.
struct Files(Vec<(String, String)>);

impl FileResolver for Files {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let own = self.0.iter().map(|(known, text)| (known.as_str(), text.as_str()));
        match own.chain(KNOWN).find(|(known, _)| *known == name) {
            Some((_, text)) => File::from_source(name, text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

impl Schema {
    /// Compiles a schema with the files that it imports.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub(super) fn parse(text: &str, imports: Vec<(String, String)>) -> Result<Self, String> {
        let mut files = imports;
        files.push((FILE.to_owned(), text.to_owned()));
        let mut resolver = ChainFileResolver::new();
        resolver.add(Files(files));
        resolver.add(GoogleFileResolver::new());
        let mut compiler = Compiler::with_file_resolver(resolver);
        compiler.open_file(FILE).map_err(|error| error.to_string())?;
        compiler.descriptor_pool().get_file_by_name(FILE).map(Self).ok_or_else(|| "it is empty".to_owned())
    }

    /// A message, behind the way to its type, as JSON.
    pub(super) fn decode(&self, bytes: &[u8]) -> Result<Value, Unread> {
        let wrong = Unread::Value("it is cut off, or has another schema");
        let (path, bytes) = message_path(bytes).ok_or(wrong)?;
        let mut found: Option<MessageDescriptor> = None;
        for step in path {
            // What a map is made of is no message of the schema's text.
            found = match &found {
                None => self.0.messages().nth(step),
                Some(outer) => outer.child_messages().filter(|inner| !inner.is_map_entry()).nth(step),
            };
            if found.is_none() {
                return Err(Unread::Value("its schema has no such message"));
            }
        }
        let message = DynamicMessage::decode(found.ok_or(wrong)?, bytes).map_err(|_| wrong)?;
        // What is zero is not sent: it says as much as another value.
        let options = SerializeOptions::new()
            .stringify_64_bit_integers(false)
            .use_proto_field_name(true)
            .skip_default_fields(false);
        message
            .serialize_with_options(serde_json::value::Serializer, &options)
            .map_err(|_| Unread::Value("it holds a type that its schema does not have"))
    }
}

/// The way to a message among those of a Protobuf file, from the outside in, and the message. The first message of a file
/// is a zero alone.
fn message_path(bytes: &[u8]) -> Option<(Vec<usize>, &[u8])> {
    let (count, mut rest) = zigzag(bytes)?;
    if count == 0 {
        return Some((vec![0], rest));
    }
    let mut path = Vec::new();
    for _ in 0..usize::try_from(count).ok()? {
        let (step, behind) = zigzag(rest)?;
        path.push(usize::try_from(step).ok()?);
        rest = behind;
    }
    Some((path, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_message_is_read_by_its_place_in_the_schema() {
        let other = "syntax = \"proto3\"; package a; message Partner { string name = 1; }";
        let text =
            "syntax = \"proto3\"; package a; import \"a/partner.proto\"; import \"google/protobuf/timestamp.proto\";
            import \"confluent/meta.proto\";
            message First { int32 n = 1; }
            message Call {
              map<string, string> headers = 9;
              message Try { int64 took = 1; }
              Partner partner = 1;
              google.protobuf.Timestamp at = 2;
              Outcome outcome = 3;
              optional string error = 4;
              enum Outcome { FAILED = 0; OK = 1; }
            }";
        let schema = Schema::parse(text, vec![("a/partner.proto".to_owned(), other.to_owned())]).expect("a schema");
        assert_eq!(schema.decode(b"\0\x08\x05").expect("the first"), json!({"n": 5}));
        let call = schema.decode(b"\x02\x02\x0a\x05\x0a\x03SAP\x12\x02\x08\x01").expect("the second");
        assert_eq!(
            call,
            json!({"headers": {}, "partner": {"name": "SAP"}, "at": "1970-01-01T00:00:01Z", "outcome": "FAILED"})
        );
        assert_eq!(schema.decode(b"\x04\x02\0\x08\x07").expect("what is in it"), json!({"took": 7}));
        assert!(schema.decode(b"\x02\x0a").is_err());
        assert!(schema.decode(b"\0\x0a\xff").is_err());
        assert!(Schema::parse("syntax = \"proto3\"; import \"b.proto\";", Vec::new()).is_err());
    }

    #[test]
    fn the_way_to_a_type_is_read() {
        assert_eq!(message_path(b"\0x"), Some((vec![0], &b"x"[..])));
        assert_eq!(message_path(b"\x04\x02\0x"), Some((vec![1, 0], &b"x"[..])));
        assert_eq!(message_path(b"\xfe\xff\xff\xff\x0f"), None);
    }
}
