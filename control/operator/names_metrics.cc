#include "control/operator/names_metrics.h"

namespace qure {
namespace {

using nlohmann::ordered_json;
using prometheus::MetricType;

void CollectServer(const ordered_json& server, Families* out) {
  out->Begin(MetricType::Counter, "qure_dns_slow_answers_total",
             "DNS queries handled beside the packet path, by outcome: over TCP, and what it leaves to the kernel.");
  for (const auto& [reason, count] : server.at("answers").items())
    out->Add({{"reason", reason}}, count.get<uint64_t>());
  out->Begin(MetricType::Counter, "qure_dns_slow_queries_total", "The same queries, by type.");
  for (const auto& [type, count] : server.at("types").items()) out->Add({{"type", type}}, count.get<uint64_t>());
  out->Single(MetricType::Counter, "qure_dns_connections_total", "DNS connections accepted.",
              server.at("connections").get<double>());
  out->Gauge("qure_dns_connections_open", "DNS connections that are open.", server.at("open").get<double>());
  out->Single(MetricType::Counter, "qure_dns_connections_cut_off_total",
              "DNS connections that this node ended: for a newer one, for silence, for malformed data.",
              server.at("cut_off").get<double>());
}

void CollectCache(const ordered_json& cache, Families* out) {
  out->Begin(MetricType::Counter, "qure_dns_cache_total", "Lookups in the cache of other servers' names, by outcome.");
  for (const char* event : {"hits", "misses", "stale", "prefetches", "merged", "failures", "refused"}) {
    out->Add({{"event", event}}, cache.at(event).get<uint64_t>());
  }
  out->Gauge("qure_dns_cache_entries", "Answers in the cache.", cache.at("entries").get<double>());
}

void CollectUpstreams(const ordered_json& upstreams, Families* out) {
  const auto each = [&](MetricType type, const char* name, const char* help, const auto& value) {
    out->Begin(type, name, help);
    for (const ordered_json& row : upstreams) out->Add({{"server", row.at("server").get<std::string>()}}, value(row));
  };
  each(MetricType::Gauge, "qure_dns_upstream_up", "1 unless the server failed three times in a row.",
       [](const ordered_json& row) { return row.at("state") == "up" ? 1.0 : 0.0; });
  each(MetricType::Gauge, "qure_dns_upstream_round_trip_seconds", "How long the server takes to answer, smoothed.",
       [](const ordered_json& row) { return row.at("round_trip_ms").get<double>() / 1000; });
  each(MetricType::Counter, "qure_dns_upstream_answers_total", "Answers of the server.",
       [](const ordered_json& row) { return row.at("answers").get<double>(); });
  each(MetricType::Counter, "qure_dns_upstream_failures_total", "Questions that the server left unanswered.",
       [](const ordered_json& row) { return row.at("failures").get<double>(); });
}

void CollectRegistration(const ordered_json& registration, Families* out) {
  out->Gauge("qure_registered", "1 if the cluster's addresses are registered at the main DNS server as wanted.",
             registration.at("state") == "registered" ? 1 : 0);
  out->Gauge("qure_registration_retries", "Attempts in a row that failed.", registration.at("retries").get<double>());
  out->Single(MetricType::Counter, "qure_registration_repairs_total", "Times that the registration was found changed.",
              registration.at("repairs").get<double>());
}

}  // namespace

void CollectNames(const ordered_json& names, Families* out) {
  if (names.contains("server")) CollectServer(names.at("server"), out);
  if (names.contains("cache")) CollectCache(names.at("cache"), out);
  if (names.contains("upstreams")) CollectUpstreams(names.at("upstreams"), out);
  if (names.contains("registration") && !names.at("registration").is_null()) {
    CollectRegistration(names.at("registration"), out);
  }
}

}  // namespace qure
