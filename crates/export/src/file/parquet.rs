//! Parquet (<https://parquet.apache.org/docs/file-format/>). Each step writes a row group to a file of its own; at the
//! end these are joined without being encoded again.

use super::{ExportRow, Exported, FileSink, cell, part_path, publish};
use anyhow::{Context as _, bail, ensure};
use async_trait::async_trait;
use crosstail_core::model::{Names, parse_timestamp};
use crosstail_core::number::saturating_u64;
use parquet::basic::{Compression, ZstdLevel};
use parquet::column::writer::{ColumnCloseResult, ColumnWriter};
use parquet::data_type::ByteArray;
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::TypePtr;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Writes a Parquet file in steps.
pub struct ParquetSink {
    path: PathBuf,
    names: Names,
    exported: Exported,
    schema: TypePtr,
    properties: WriterPropertiesPtr,
    groups: u64,
}

/// The type of a column in Parquet's schema language.
fn kind(column: &str) -> &'static str {
    match column {
        "started_at" | "completed_at" | "next_retry_at" => "INT64 {} (TIMESTAMP(MICROS,true))",
        "duration_ms" | "cpu_percent" | "memory_mb" => "DOUBLE {}",
        "http_status" | "attempt" | "max_attempts" => "INT32 {}",
        _ => "BYTE_ARRAY {} (UTF8)",
    }
}

impl ParquetSink {
    /// Starts the file, or resumes after a mark.
    pub fn open(path: &Path, exported: &Exported, names: &Names, mark: Option<&Value>) -> anyhow::Result<Self> {
        let columns = exported.names();
        let fields: String =
            columns.iter().map(|column| format!("OPTIONAL {}; ", kind(column).replace("{}", column))).collect();
        let schema = Arc::new(parse_message_type(&format!("message activity {{ {fields} }}"))?);
        let level = ZstdLevel::try_new(3)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_created_by(format!("crosstail {}", env!("CARGO_PKG_VERSION")))
            .build();
        let groups = mark.and_then(|mark| mark["groups"].as_u64()).unwrap_or(0);
        let folder = part_path(path);
        if mark.is_none() {
            let _ = std::fs::remove_dir_all(&folder);
            std::fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
        }
        let is_folder = folder.symlink_metadata().is_ok_and(|about| about.is_dir());
        ensure!(is_folder, "{}: this part of the export has disappeared; start again with --restart", folder.display());
        let sink = Self {
            path: path.to_owned(),
            names: names.clone(),
            exported: exported.clone(),
            schema,
            properties: Arc::new(properties),
            groups,
        };
        if let Some(lost) = (1..=groups).map(|group| sink.group(group)).find(|path| !path.exists()) {
            bail!("{}: this part of the export has disappeared; start again with --restart", lost.display());
        }
        Ok(sink)
    }

    fn group(&self, number: u64) -> PathBuf {
        part_path(&self.path).join(format!("{number:06}.parquet"))
    }

    fn write_group(&self, file: File, rows: &[Map<String, Value>]) -> anyhow::Result<()> {
        let mut writer = SerializedFileWriter::new(file, Arc::clone(&self.schema), Arc::clone(&self.properties))?;
        let mut group = writer.next_row_group()?;
        for column in &self.exported.names() {
            let Some(mut target) = group.next_column()? else { bail!("no column {column}") };
            let values: Vec<&Value> = rows.iter().map(|row| row.get(column).unwrap_or(&Value::Null)).collect();
            let levels: Vec<i16> = values.iter().map(|value| i16::from(!value.is_null())).collect();
            let there = values.into_iter().filter(|value| !value.is_null());
            match target.untyped() {
                ColumnWriter::ByteArrayColumnWriter(typed) => {
                    let text = |value: &Value| match value {
                        Value::String(text) => text.clone(),
                        Value::Array(_) => cell(value),
                        other => other.to_string(),
                    };
                    let values: Vec<ByteArray> = there.map(|value| text(value).into_bytes().into()).collect();
                    typed.write_batch(&values, Some(&levels), None)?;
                }
                ColumnWriter::Int64ColumnWriter(typed) => {
                    let time = |value: &Value| value.as_str().and_then(parse_timestamp).map(|at| at.0);
                    let values: Vec<i64> = there.filter_map(time).collect();
                    typed.write_batch(&values, Some(&levels), None)?;
                }
                ColumnWriter::Int32ColumnWriter(typed) => {
                    let values: Vec<i32> = there.filter_map(|value| value.as_i64()?.try_into().ok()).collect();
                    typed.write_batch(&values, Some(&levels), None)?;
                }
                ColumnWriter::DoubleColumnWriter(typed) => {
                    let values: Vec<f64> = there.filter_map(Value::as_f64).collect();
                    typed.write_batch(&values, Some(&levels), None)?;
                }
                _ => bail!("no type for {column}"),
            }
            target.close()?;
        }
        group.close()?;
        writer.into_inner()?.sync_data()?;
        Ok(())
    }
}

#[async_trait]
impl FileSink for ParquetSink {
    async fn step(&mut self, activities: Vec<ExportRow>) -> anyhow::Result<Value> {
        let rows: Vec<_> =
            activities.into_iter().map(|one| self.exported.row(&one, &self.names)).collect::<anyhow::Result<_>>()?;
        if !rows.is_empty() {
            let path = self.group(self.groups + 1);
            let file = File::create(&path).with_context(|| path.display().to_string())?;
            self.write_group(file, &rows).with_context(|| path.display().to_string())?;
            self.groups += 1;
        }
        Ok(json!({ "groups": self.groups }))
    }

    async fn finish(self: Box<Self>) -> anyhow::Result<()> {
        let whole = part_path(&self.path).join("whole");
        let file = File::create(&whole).with_context(|| whole.display().to_string())?;
        let mut writer = SerializedFileWriter::new(file, Arc::clone(&self.schema), Arc::clone(&self.properties))?;
        for number in 1..=self.groups {
            let path = self.group(number);
            let part = File::open(&path).with_context(|| path.display().to_string())?;
            let reader = SerializedFileReader::new(part.try_clone()?)?;
            for group in reader.metadata().row_groups() {
                let mut target = writer.next_row_group()?;
                for column in group.columns() {
                    let copied = ColumnCloseResult {
                        bytes_written: saturating_u64(column.compressed_size()),
                        rows_written: saturating_u64(group.num_rows()),
                        metadata: column.clone(),
                        bloom_filter: None,
                        column_index: None,
                        offset_index: None,
                    };
                    target.append_column(&part, copied)?;
                }
                target.close()?;
            }
        }
        writer.into_inner()?.sync_all()?;
        publish(&whole, &self.path)?;
        std::fs::remove_dir_all(part_path(&self.path))?;
        Ok(())
    }
}
