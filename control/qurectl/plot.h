// "Nodes online over time", by era: as a chart in the terminal and as SVG.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"

namespace qure {

// From `time_ms` on, until the next step, so many nodes were online.
struct PlotStep {
  int64_t time_ms = 0;  // since 1970
  uint64_t era = 0;
  uint64_t online = 0;
};

struct PlotSeries {
  std::vector<PlotStep> steps;  // by time
  int64_t end_ms = 0;           // not before the last step
};

// Of the answer to "history"; throws nlohmann::json::exception if it has another form.
PlotSeries ReadSeries(const nlohmann::ordered_json& history);

// `width` columns of the chart itself, at least 24. A column shows the least that was online within its time: a short
// outage must not vanish in a long history.
std::string PlotText(const PlotSeries& series, size_t width);
std::string PlotSvg(const PlotSeries& series);

}  // namespace qure
