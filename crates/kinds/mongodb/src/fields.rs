//! Whether the documents have the fields that the user's schema maps.

use super::find::{Find, PAGE_BYTES, each};
use super::mapping::{Mapping, plain};
use super::{Asking, Database, Error, MongodbSource};
use bson::{Bson, Document, doc};
use crosstail_core::filter::suggest;
use crosstail_source::Job;

/// Documents whose fields are compared with the user's schema.
const CHECKED: usize = 20;

impl MongodbSource {
    /// Checks that the newest documents have the fields that the user's schema maps.
    pub(super) async fn check_fields(&self, found: &mut Database, job: &Job) -> Result<(), Error> {
        let (mut unsorted, mut dotted) = (Vec::new(), Vec::new());
        for mapping in &found.mappings {
            let newest = Find {
                sort: Some(doc! { &mapping.table.time: -1 }),
                limit: Some(CHECKED),
                whole: true,
                ..Find::default()
            };
            let (mut read, mut bytes) = (Vec::new(), 0);
            // A few large documents tell their fields as well as many.
            each(Asking { database: found, job }, mapping, newest, |document| {
                bytes += document.as_bytes().len();
                read.extend(Document::try_from(document));
                bytes < PAGE_BYTES
            })
            .await?;
            let newest = read;
            if newest.iter().any(|document| mapping.has_dotted(document)) {
                dotted.push(mapping.index);
            }
            let time = mapping.table.time.as_str();
            if !time.contains('.')
                && !newest.is_empty()
                && !newest.iter().any(|document| document.get_datetime(time).is_ok())
            {
                if !newest.iter().any(|document| document.contains_key(time)) {
                    return Err(Error::Mapping(format!(
                        "[table] time: the newest documents of {} have no '{time}'; name a field that holds their time",
                        mapping.table.name
                    )));
                }
                // Pages are in order of dates, which an index has.
                unsorted.push(format!(
                    "[table] time: '{time}' is not a date in the newest documents of {}: such documents are read whole for \
                     each page",
                    mapping.table.name
                ));
            }
            let documents: Vec<serde_json::Value> =
                newest.into_iter().map(|document| plain(Bson::Document(document))).collect();
            let records: Vec<_> = documents.iter().filter_map(serde_json::Value::as_object).collect();
            let has =
                |path: &String| records.iter().any(|record| crosstail_core::schema::lookup(record, path).is_some());
            if records.is_empty() {
                continue;
            }
            let mut keys: Vec<&str> = records.iter().flat_map(|record| record.keys()).map(String::as_str).collect();
            keys.sort_unstable();
            keys.dedup();
            for (field, paths) in &mapping.schema.definition().fields {
                if !paths.list().iter().any(has)
                    && let Some(first) = paths.list().first()
                {
                    let near = suggest(first, keys.iter().copied());
                    let hint = near.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
                    let text = format!(
                        "[fields] {field}: none of the newest documents of {} has '{first}'; they have {}{hint}",
                        mapping.table.name,
                        keys.join(", ")
                    );
                    found.warnings.push(text);
                }
            }
        }
        found.mappings.iter_mut().filter(|one| dotted.contains(&one.index)).for_each(Mapping::read_whole);
        found.warnings.extend(unsorted);
        Ok(())
    }
}
