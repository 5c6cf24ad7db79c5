// The answers of the control socket as text for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "nlohmann/json.hpp"

namespace qure {

enum class Align : uint8_t { kLeft, kRight };

// Columns as wide as their widest cell, two spaces apart, no blanks at the ends of lines.
class Table {
 public:
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // One cell per column.
  void Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.empty(); }
  std::string Render() const;

 private:
  const std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// Seconds as "12s", "3m 12s", "5h 3m", "12d 5h".
std::string UptimeText(double seconds);

// Each throws nlohmann::json::exception if the answer has another form.
std::string StatusText(const nlohmann::ordered_json& status);
// The exit status that tells a monitoring system what `status` says: 0 serving, 1 degraded, 2 not serving.
int StatusExit(const nlohmann::ordered_json& status);
std::string PortsText(const nlohmann::ordered_json& ports);
// Without `all`, only reasons that occurred.
std::string CountersText(const nlohmann::ordered_json& counters, bool all);

}  // namespace qure
