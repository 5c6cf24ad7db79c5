#include "control/store/store_rows.h"

#include "absl/strings/str_replace.h"
#include "control/base/text.h"
#include "control/core/timers.h"
#include "proto/bytes.h"

namespace qure {
namespace {

// Version 1. One row: the identity of this node and its boot count (the age).
constexpr char kSchema1[] =
    "CREATE TABLE identity ("
    "  id INTEGER PRIMARY KEY CHECK (id = 1),"
    "  node_id BLOB NOT NULL CHECK (length(node_id) = 16),"
    "  age INTEGER NOT NULL CHECK (age >= 0)) STRICT;"
    "PRAGMA user_version = 1";

// Version 2. The state of a cluster member. Unsigned 64-bit numbers are stored as signed ones with the same bits; SQL
// compares by order only eras, ages and the times of events, which are below 2⁶³ for four thousand years.
constexpr char kSchema2[] =
    "ALTER TABLE identity ADD COLUMN lan_mac BLOB CHECK (length(lan_mac) = 6);"
    "ALTER TABLE identity ADD COLUMN revision TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE identity ADD COLUMN age_at_revision INTEGER NOT NULL DEFAULT 1;"
    "CREATE TABLE cluster ("
    "  id INTEGER PRIMARY KEY CHECK (id = 1),"
    "  era INTEGER NOT NULL DEFAULT 0,"
    "  lineage INTEGER NOT NULL DEFAULT 0,"
    "  uptime_ms INTEGER NOT NULL DEFAULT 0,"
    "  epoch_era INTEGER NOT NULL DEFAULT 0,"
    "  epoch INTEGER NOT NULL DEFAULT 0,"
    "  key_in_use INTEGER NOT NULL DEFAULT 0,"
    "  maintenance INTEGER NOT NULL DEFAULT 0) STRICT;"
    "INSERT INTO cluster (id) VALUES (1);"
    "CREATE TABLE keys ("
    "  id INTEGER PRIMARY KEY,"
    "  key BLOB NOT NULL CHECK (length(key) = 32)) STRICT;"
    "CREATE TABLE events ("
    "  node BLOB NOT NULL CHECK (length(node) = 16),"
    "  age INTEGER NOT NULL,"
    "  seq INTEGER NOT NULL,"
    "  era INTEGER NOT NULL,"
    "  lineage INTEGER NOT NULL,"
    "  term_era INTEGER NOT NULL,"
    "  term_epoch INTEGER NOT NULL,"
    "  term_holder INTEGER NOT NULL,"
    "  kind INTEGER NOT NULL,"
    "  time INTEGER NOT NULL,"
    "  subject BLOB NOT NULL CHECK (length(subject) = 16),"
    "  text TEXT NOT NULL,"
    "  PRIMARY KEY (node, age, seq)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE summaries ("
    "  era INTEGER NOT NULL,"
    "  lineage INTEGER NOT NULL,"
    "  began INTEGER NOT NULL,"
    "  ended INTEGER NOT NULL,"
    "  boots INTEGER NOT NULL,"
    "  takeovers INTEGER NOT NULL,"
    "  most_online INTEGER NOT NULL,"
    "  founder BLOB NOT NULL CHECK (length(founder) = 16),"
    "  PRIMARY KEY (era, lineage)) STRICT, WITHOUT ROWID;"
    "PRAGMA user_version = 2";

// Version 3. The operator's settings of this node's share of the services.
constexpr char kSchema3[] =
    "ALTER TABLE cluster ADD COLUMN draining INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE weights ("
    "  service TEXT PRIMARY KEY,"
    "  weight INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "PRAGMA user_version = 3";

// Version 4. When a drain gives up the remaining flows.
constexpr char kSchema4[] =
    "ALTER TABLE cluster ADD COLUMN drain_deadline_ms INTEGER NOT NULL DEFAULT -1;"  // -1: none
    "PRAGMA user_version = 4";

// Version 5. Where within its era a summary ends.
constexpr char kSchema5[] =
    "ALTER TABLE summaries ADD COLUMN until INTEGER NOT NULL DEFAULT 0;"  // 0: at its end
    "PRAGMA user_version = 5";

// Version 6. When this node was last known to be alive.
constexpr char kSchema6[] =
    "ALTER TABLE cluster ADD COLUMN alive_ms INTEGER NOT NULL DEFAULT 0;"  // 0: unknown
    "PRAGMA user_version = 6";

// Version 7. Who this node is by its signature, and who belongs to its cluster (control/core/admission).
constexpr char kSchema7[] =
    "ALTER TABLE identity ADD COLUMN seed BLOB CHECK (length(seed) = 32);"  // null: none yet
    "CREATE TABLE records (record BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;"
    "ALTER TABLE keys ADD COLUMN record BLOB;"  // null: none
    "PRAGMA user_version = 7";

// Version 8. The cluster's configuration (control/core/config): what this node knows of each version, and the bodies.
constexpr char kSchema8[] =
    "CREATE TABLE config_versions ("
    "  version BLOB PRIMARY KEY CHECK (length(version) = 36),"
    "  entry BLOB NOT NULL,"
    "  confirm BLOB,"  // null: it is not confirmed
    "  stage INTEGER NOT NULL,"
    "  was_in_effect INTEGER NOT NULL,"
    "  acknowledged INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE config_bodies ("
    "  digest BLOB PRIMARY KEY CHECK (length(digest) = 32),"
    "  body BLOB NOT NULL) STRICT;"
    "PRAGMA user_version = 8";

// Version 9. The cluster that this node was taken in by, or that it began.
constexpr char kSchema9[] =
    "CREATE TABLE joined ("
    "  id INTEGER PRIMARY KEY CHECK (id = 1),"
    "  name TEXT NOT NULL,"
    "  port INTEGER NOT NULL,"
    "  multicast BLOB NOT NULL CHECK (length(multicast) = 4),"
    "  first TEXT NOT NULL) STRICT;"
    "PRAGMA user_version = 9";

// Version 10. Its id, drawn by who began it.
constexpr char kSchema10[] =
    "ALTER TABLE joined ADD COLUMN cluster BLOB CHECK (length(cluster) = 16);"  // null: it follows from the name
    "PRAGMA user_version = 10";

// Version 11. Null: this identity did not take the place of one that was copied.
constexpr char kSchema11[] =
    "ALTER TABLE identity ADD COLUMN copy_of BLOB CHECK (length(copy_of) = 32);"
    "ALTER TABLE identity ADD COLUMN copy_signature BLOB CHECK (length(copy_signature) = 64);"
    "PRAGMA user_version = 11";

absl::Status Damaged(const Database& db, std::string_view what) {
  return absl::DataLossError(Concat(db.path(), ": damaged (", what, ")"));
}

absl::Status EndOf(const Database& db, const Statement& query) {
  return query.failed() ? db.Error() : absl::OkStatus();
}

uint32_t Number32(const Statement& query, int column) {
  return static_cast<uint32_t>(query.Number(column));
}

absl::Status ReadKeys(Database* db, Keyring* out) {
  Statement query(db, "SELECT id, key, record FROM keys ORDER BY id");
  while (query.Row()) {
    StoredKey key;
    key.id = Number32(query, 0);
    if (!query.Bytes(1, key.key)) return Damaged(*db, "a key of the wrong length");
    key.record = query.Blob(2);
    out->keys.push_back(key);
  }
  return EndOf(*db, query);
}

absl::Status ReadEvents(Database* db, std::vector<HistoryEvent>* out) {
  Statement query(db,
                  "SELECT node, age, seq, era, lineage, term_era, term_epoch, term_holder, kind, time, subject, text "
                  "FROM events");
  while (query.Row()) {
    HistoryEvent event;
    event.age = query.Number(1);
    event.seq = Number32(query, 2);
    event.era = Number32(query, 3);
    event.lineage = query.Number(4);
    event.term = {Number32(query, 5), query.Number(6), query.Number(7)};
    event.kind = static_cast<HistoryKind>(query.Number(8));
    event.time = query.Number(9);
    event.text = query.Text(11);
    if (!query.Bytes(0, event.node) || !query.Bytes(10, event.subject)) return Damaged(*db, "an event without a node");
    out->push_back(std::move(event));
  }
  return EndOf(*db, query);
}

absl::Status ReadSummaries(Database* db, std::vector<EraSummary>* out) {
  Statement query(db,
                  "SELECT era, lineage, began, ended, boots, takeovers, most_online, founder, until FROM summaries");
  while (query.Row()) {
    EraSummary summary;
    summary.era = Number32(query, 0);
    summary.lineage = query.Number(1);
    summary.began = query.Number(2);
    summary.ended = query.Number(3);
    summary.boots = Number32(query, 4);
    summary.takeovers = Number32(query, 5);
    summary.most_online = Number32(query, 6);
    if (!query.Bytes(7, summary.founder)) return Damaged(*db, "an era without a founder");
    summary.until = query.Number(8);
    out->push_back(summary);
  }
  return EndOf(*db, query);
}

absl::Status WriteKeys(Database* db, const Keyring& keyring) {
  if (absl::Status deleted = db->Execute("DELETE FROM keys"); !deleted.ok()) return deleted;
  Statement insert(db, "INSERT OR REPLACE INTO keys VALUES (?, ?, ?)");
  for (const StoredKey& key : keyring.keys) {
    if (absl::Status added = insert.Bind(key.id).Bind(key.key).Bind(key.record).Run(); !added.ok()) return added;
  }
  return Statement(db, "UPDATE cluster SET key_in_use = ?").Bind(keyring.use).Run();
}

absl::Status WriteEvents(Database* db, const std::vector<HistoryEvent>& events) {
  Statement insert(db, "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  for (const HistoryEvent& event : events) {
    insert.Bind(event.node).Bind(event.age).Bind(event.seq).Bind(event.era).Bind(event.lineage);
    insert.Bind(event.term.era).Bind(event.term.epoch).Bind(event.term.holder);
    insert.Bind(static_cast<uint64_t>(event.kind)).Bind(event.time).Bind(event.subject);
    if (absl::Status added = insert.Bind(std::string_view(event.text)).Run(); !added.ok()) return added;
  }
  return absl::OkStatus();
}

absl::Status WriteSummaries(Database* db, const std::vector<EraSummary>& summaries) {
  Statement insert(db, "INSERT OR REPLACE INTO summaries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
  for (const EraSummary& summary : summaries) {
    insert.Bind(summary.era).Bind(summary.lineage).Bind(summary.began).Bind(summary.ended).Bind(summary.boots);
    insert.Bind(summary.takeovers).Bind(summary.most_online);
    if (absl::Status added = insert.Bind(summary.founder).Bind(summary.until).Run(); !added.ok()) return added;
  }
  return absl::OkStatus();
}

// This boot gets another age: the events under its old age belong to an earlier boot, whose events the other nodes
// have.
absl::Status WriteAge(Database* db, uint64_t age) {
  IdentityRow row;
  absl::Status status = ReadIdentity(db, &row);
  if (status.ok() && row.age != age) status = ForgetBoot(db, row.node_id, row.age);
  if (!status.ok()) return status;
  if (row.age_at_revision == row.age) row.age_at_revision = age;
  row.age = age;
  return WriteIdentity(db, row);
}

absl::Status WriteClusterRow(Database* db, const StoreChange& change) {
  absl::Status status;
  if (change.life) {
    const StoredLife& life = *change.life;
    Statement update(db, "UPDATE cluster SET era = ?, lineage = ?, uptime_ms = ?, alive_ms = ?");
    status = update.Bind(life.era).Bind(life.lineage).Bind(life.uptime_ms).Bind(life.alive_ms).Run();
  }
  if (status.ok() && change.epochs) {
    Statement update(db, "UPDATE cluster SET epoch_era = ?, epoch = ?");
    status = update.Bind(change.epochs->era).Bind(change.epochs->epoch).Run();
  }
  if (status.ok() && change.maintenance) {
    status = Statement(db, "UPDATE cluster SET maintenance = ?").Bind(uint64_t{*change.maintenance}).Run();
  }
  if (status.ok() && change.drain) {
    const auto& deadline = change.drain->deadline;
    Statement update(db, "UPDATE cluster SET draining = ?, drain_deadline_ms = ?");
    update.Bind(uint64_t{change.drain->on});
    status = update.Bind(static_cast<uint64_t>(deadline ? deadline->ns / Milliseconds(1).ns : -1)).Run();
  }
  return status;
}

absl::Status WriteWeights(Database* db, const std::map<std::string, uint32_t>& weights) {
  absl::Status status = db->Execute("DELETE FROM weights");
  for (const auto& [service, weight] : weights) {
    if (!status.ok()) break;
    status = Statement(db, "INSERT INTO weights VALUES (?, ?)").Bind(std::string_view(service)).Bind(weight).Run();
  }
  return status;
}

absl::Status ReadRecords(Database* db, std::vector<std::vector<uint8_t>>* out) {
  Statement query(db, "SELECT record FROM records");
  while (query.Row()) out->push_back(query.Blob(0));
  return EndOf(*db, query);
}

absl::Status WriteRecords(Database* db, const std::vector<std::vector<uint8_t>>& records) {
  if (absl::Status deleted = db->Execute("DELETE FROM records"); !deleted.ok()) return deleted;
  Statement insert(db, "INSERT OR IGNORE INTO records VALUES (?)");
  for (const std::vector<uint8_t>& record : records) {
    if (absl::Status added = insert.Bind(record).Run(); !added.ok()) return added;
  }
  return absl::OkStatus();
}

absl::Status ReadJoined(Database* db, std::optional<JoinedCluster>* out) {
  Statement query(db, "SELECT name, port, multicast, first, cluster FROM joined");
  if (!query.Row()) return EndOf(*db, query);
  JoinedCluster joined{.name = query.Text(0),
                       .id = std::nullopt,
                       .port = static_cast<uint16_t>(query.Number(1)),
                       .group = {},
                       .first = query.Text(3)};
  if (!query.Bytes(2, joined.group.bytes)) return Damaged(*db, "a group of the wrong length");
  if (ClusterId id{}; query.Bytes(4, id)) joined.id = id;
  *out = std::move(joined);
  return absl::OkStatus();
}

absl::Status WriteJoined(Database* db, const JoinedCluster& joined) {
  Statement write(db,
                  "INSERT OR REPLACE INTO joined (id, name, port, multicast, first, cluster) "
                  "VALUES (1, ?, ?, ?, ?, ?)");
  write.Bind(joined.name).Bind(joined.port).Bind(joined.group.bytes).Bind(joined.first);
  if (joined.id) write.Bind(*joined.id);  // else null
  return write.Run();
}

absl::Status ReadConfig(Database* db, clusterconfig::StoredConfig* out) {
  {
    Statement query(db, "SELECT entry, confirm, stage, was_in_effect, acknowledged FROM config_versions");
    while (query.Row()) {
      const uint64_t stage = query.Number(2);
      if (stage > clusterconfig::kLastStage) continue;
      out->versions.push_back({.entry = query.Blob(0),
                               .confirm = query.Blob(1),
                               .stage = static_cast<clusterconfig::Stage>(stage),
                               .was_in_effect = query.Number(3) != 0,
                               .acknowledged = query.Number(4) != 0});
    }
    if (query.failed()) return db->Error();
  }
  Statement query(db, "SELECT body FROM config_bodies");
  while (query.Row()) {
    const std::vector<uint8_t> body = query.Blob(0);
    out->bodies.emplace_back(body.begin(), body.end());
  }
  return EndOf(*db, query);
}

absl::Status WriteConfig(Database* db, const clusterconfig::Save& save) {
  Statement put(db, "INSERT OR REPLACE INTO config_versions VALUES (?, ?, ?, ?, ?, ?)");
  for (const auto& [version, stored] : save.put) {
    const std::vector<uint8_t> key = admission::ToBytes(version);
    put.Bind(key).Bind(stored.entry).Bind(stored.confirm).Bind(static_cast<uint64_t>(stored.stage));
    put.Bind(uint64_t{stored.was_in_effect}).Bind(uint64_t{stored.acknowledged});
    if (absl::Status done = put.Run(); !done.ok()) return done;
  }
  Statement drop(db, "DELETE FROM config_versions WHERE version = ?");
  for (const clusterconfig::Version& version : save.drop) {
    if (absl::Status done = drop.Bind(admission::ToBytes(version)).Run(); !done.ok()) return done;
  }
  Statement put_body(db, "INSERT OR REPLACE INTO config_bodies VALUES (?, ?)");
  for (const auto& [digest, body] : save.put_bodies) {
    if (absl::Status done = put_body.Bind(digest).Bind(AsBytes(*body)).Run(); !done.ok()) return done;
  }
  Statement drop_body(db, "DELETE FROM config_bodies WHERE digest = ?");
  for (const clusterconfig::Digest& digest : save.drop_bodies) {
    if (absl::Status done = drop_body.Bind(digest).Run(); !done.ok()) return done;
  }
  return absl::OkStatus();
}

absl::Status ReadWeights(Database* db, std::map<std::string, uint32_t>* out) {
  Statement query(db, "SELECT service, weight FROM weights");
  while (query.Row()) (*out)[query.Text(0)] = Number32(query, 1);
  return EndOf(*db, query);
}

}  // namespace

absl::Status CheckIntegrity(Database* db) {
  Statement check(db, "PRAGMA quick_check(1)");
  if (!check.Row()) return db->Error();
  const std::string result = check.Text(0);
  return result == "ok" ? absl::OkStatus() : Damaged(*db, absl::StrReplaceAll(result, {{"\n", " "}}));
}

absl::Status UpgradeSchema(Database* db, bool* was_empty) {
  uint64_t version = 0;
  uint64_t tables = 0;
  {
    Statement query(db, "SELECT user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_user_version");
    if (!query.Row()) return db->Error();
    version = query.Number(0);
    tables = query.Number(1);
  }
  if (version > kSchemaVersion) {
    return absl::FailedPreconditionError(Concat(db->path(), ": has schema version ", version, ", this qured knows ",
                                                kSchemaVersion, "; a newer qured wrote it: run that one"));
  }
  *was_empty = version == 0;
  if (version == 0 && tables > 0) return Damaged(*db, "a database of another program");
  absl::Status status;
  if (version < 1) status = db->Execute(kSchema1);
  if (status.ok() && version < 2) status = db->Execute(kSchema2);
  if (status.ok() && version < 3) status = db->Execute(kSchema3);
  if (status.ok() && version < 4) status = db->Execute(kSchema4);
  if (status.ok() && version < 5) status = db->Execute(kSchema5);
  if (status.ok() && version < 6) status = db->Execute(kSchema6);
  if (status.ok() && version < 7) status = db->Execute(kSchema7);
  if (status.ok() && version < 8) status = db->Execute(kSchema8);
  if (status.ok() && version < 9) status = db->Execute(kSchema9);
  if (status.ok() && version < 10) status = db->Execute(kSchema10);
  if (status.ok() && version < 11) status = db->Execute(kSchema11);
  return status;
}

absl::Status ReadIdentity(Database* db, IdentityRow* out) {
  Statement query(
      db, "SELECT node_id, age, lan_mac, revision, age_at_revision, seed, copy_of, copy_signature FROM identity");
  if (!query.Row()) return query.failed() ? db->Error() : Damaged(*db, "no identity");
  MacAddress mac;
  if (!query.Bytes(0, out->node_id)) return Damaged(*db, "an identity of the wrong length");
  out->age = query.Number(1);
  if (query.Bytes(2, mac.bytes)) out->lan_mac = mac;
  out->revision = query.Text(3);
  out->age_at_revision = query.Number(4);
  admission::Seed seed;
  if (query.Bytes(5, seed)) out->seed = seed;
  admission::CopyOf copy;
  if (query.Bytes(6, copy.identity) && query.Bytes(7, copy.signature)) out->copy_of = copy;
  return absl::OkStatus();
}

absl::Status WriteIdentity(Database* db, const IdentityRow& row) {
  Statement write(db, "INSERT OR REPLACE INTO identity VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)");
  write.Bind(row.node_id).Bind(row.age);
  // An empty span becomes NULL (sqlite3_bind_blob).
  using Blob = std::span<const uint8_t>;
  write.Bind(row.lan_mac ? Blob(row.lan_mac->bytes) : Blob());
  write.Bind(std::string_view(row.revision)).Bind(row.age_at_revision);
  write.Bind(row.seed ? Blob(*row.seed) : Blob());
  write.Bind(row.copy_of ? Blob(row.copy_of->identity) : Blob());
  return write.Bind(row.copy_of ? Blob(row.copy_of->signature) : Blob()).Run();
}

absl::Status ReadState(Database* db, StoredState* out) {
  {
    Statement query(db,
                    "SELECT era, lineage, uptime_ms, epoch_era, epoch, key_in_use, maintenance, draining, "
                    "drain_deadline_ms, alive_ms FROM cluster");
    if (!query.Row()) return query.failed() ? db->Error() : Damaged(*db, "no cluster row");
    out->life = {Number32(query, 0), query.Number(1), query.Number(2), query.Number(9)};
    out->epochs = {Number32(query, 3), query.Number(4)};
    out->keyring.use = Number32(query, 5);
    out->maintenance = query.Number(6) != 0;
    out->drain.on = query.Number(7) != 0;
    const auto deadline = static_cast<int64_t>(query.Number(8));
    if (deadline >= 0) out->drain.deadline = Milliseconds(deadline);
  }
  absl::Status status = ReadKeys(db, &out->keyring);
  if (status.ok()) status = ReadWeights(db, &out->weights);
  if (status.ok()) status = ReadRecords(db, &out->records);
  if (status.ok()) status = ReadJoined(db, &out->joined);
  if (status.ok()) status = ReadConfig(db, &out->config);
  if (status.ok()) status = ReadEvents(db, &out->events);
  if (status.ok()) status = ReadSummaries(db, &out->summaries);
  return status;
}

absl::Status WriteChange(Database* db, const StoreChange& change) {
  absl::Status status;
  if (change.age) status = WriteAge(db, *change.age);
  if (status.ok()) status = WriteClusterRow(db, change);
  if (status.ok() && change.keyring) status = WriteKeys(db, *change.keyring);
  if (status.ok() && change.weights) status = WriteWeights(db, *change.weights);
  if (status.ok() && change.records) status = WriteRecords(db, *change.records);
  if (status.ok() && change.joined) status = WriteJoined(db, *change.joined);
  if (status.ok() && change.config) status = WriteConfig(db, *change.config);
  if (status.ok()) status = WriteEvents(db, change.events);
  if (status.ok() && change.drop_events_before_era) {
    // Times are unsigned, SQLite's integers are not.
    Statement drop(db,
                   "DELETE FROM events WHERE era < ?1 OR (era = ?1 AND ((time < 0) < (?2 < 0) OR "
                   "((time < 0) = (?2 < 0) AND time < ?2)))");
    status = drop.Bind(*change.drop_events_before_era).Bind(change.drop_events_before_time).Run();
    if (status.ok() && *change.drop_events_before_era == kEraLimit) status = db->Execute("DELETE FROM summaries");
  }
  if (status.ok()) status = WriteSummaries(db, change.summaries);
  return status;
}

absl::Status ForgetCluster(Database* db) {
  return db->Execute(
      "DELETE FROM keys; DELETE FROM records; DELETE FROM joined; DELETE FROM config_versions;"
      "DELETE FROM config_bodies; DELETE FROM events; DELETE FROM summaries; DELETE FROM weights;"
      "UPDATE cluster SET era = 0, lineage = 0, uptime_ms = 0, alive_ms = 0, epoch_era = 0, epoch = 0,"
      " key_in_use = 0, maintenance = 0, draining = 0, drain_deadline_ms = -1");
}

absl::Status GiveUpKeys(Database* db) {
  return db->Execute("DELETE FROM keys WHERE EXISTS (SELECT 1 FROM records)");
}

absl::Status ForgetBoot(Database* db, const NodeId& node, uint64_t age) {
  return Statement(db, "DELETE FROM events WHERE node = ? AND age = ?").Bind(node).Bind(age).Run();
}

}  // namespace qure
