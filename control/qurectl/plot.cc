#include "control/qurectl/plot.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"

namespace qure {
namespace {

constexpr uint64_t kMaxRows = 8;
constexpr int kEighths = 8;
constexpr std::array<const char*, kEighths + 1> kBlocks = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr size_t kTimeText = 16;  // "2024-01-31 12:34"

std::string TimeText(int64_t time_ms) {
  return absl::FormatTime("%Y-%m-%d %H:%M", absl::FromUnixMillis(time_ms), absl::UTCTimeZone());
}

uint64_t MostOnline(const PlotSeries& series) {
  uint64_t most = 1;
  for (const PlotStep& step : series.steps) most = std::max(most, step.online);
  return most;
}

struct Column {
  uint64_t least = 0;
  uint64_t era = 0;
};

// The series in `width` equal spans of time.
std::vector<Column> ToColumns(const PlotSeries& series, size_t width) {
  const std::vector<PlotStep>& steps = series.steps;
  const int64_t begin = steps.front().time_ms;
  const int64_t span = std::max<int64_t>(series.end_ms - begin, 1);
  std::vector<Column> columns;
  size_t current = 0;  // the step that is in force
  const auto edge = [&](size_t column) {
    return begin + span * static_cast<int64_t>(column) / static_cast<int64_t>(width);
  };
  for (size_t i = 0; i < width; ++i) {
    while (current + 1 < steps.size() && steps[current + 1].time_ms <= edge(i)) ++current;
    Column column{steps[current].online, steps[current].era};
    while (current + 1 < steps.size() && steps[current + 1].time_ms < edge(i + 1)) {
      ++current;
      column.least = std::min(column.least, steps[current].online);
      column.era = steps[current].era;
    }
    columns.push_back(column);
  }
  return columns;
}

// Row `row` of `rows` of the chart, counted from the bottom.
std::string RowText(const std::vector<Column>& columns, uint64_t row, uint64_t rows, uint64_t most) {
  std::string text;
  for (const Column& column : columns) {
    const auto height = static_cast<int64_t>(column.least * rows * kEighths / most);
    const auto fill = std::clamp<int64_t>(height - static_cast<int64_t>(row * kEighths), 0, kEighths);
    text += kBlocks[static_cast<size_t>(fill)];
  }
  return text;
}

// The axis with a tick where an era begins, and below it the numbers of the eras that fit.
std::string EraAxis(const std::vector<Column>& columns, const std::string& margin) {
  std::string axis;
  std::string labels;
  for (size_t i = 0; i < columns.size(); ++i) {
    const bool begins = i == 0 || columns[i].era != columns[i - 1].era;
    axis += begins ? "┬" : "─";
    const std::string label = absl::StrCat(columns[i].era);
    if (!begins || (!labels.empty() && labels.size() >= i)) continue;
    labels += std::string(i - labels.size(), ' ') + label;
  }
  std::string era = "era";
  era.insert(0, margin.size() > era.size() ? margin.size() - era.size() - 1 : 0, ' ');
  return absl::StrCat(margin, "└", axis, "\n", era, std::string(margin.size() + 1 - era.size(), ' '), labels, "\n");
}

}  // namespace

PlotSeries ReadSeries(const nlohmann::ordered_json& history) {
  PlotSeries series;
  for (const nlohmann::ordered_json& step : history.at("online")) {
    series.steps.push_back(
        {step.at("time_ms").get<int64_t>(), step.at("era").get<uint64_t>(), step.at("online").get<uint64_t>()});
  }
  series.end_ms = history.at("now_ms").get<int64_t>();
  if (!series.steps.empty()) series.end_ms = std::max(series.end_ms, series.steps.back().time_ms);
  return series;
}

std::string PlotText(const PlotSeries& series, size_t width) {
  if (series.steps.empty()) return "nothing has happened yet\n";
  const uint64_t most = MostOnline(series);
  const uint64_t rows = std::min(most, kMaxRows);
  const std::vector<Column> columns = ToColumns(series, width);
  const size_t label_width = std::max<size_t>(absl::StrCat(most).size(), 3);
  std::string text = "nodes online\n";
  for (uint64_t row = rows; row-- > 0;) {
    absl::StrAppendFormat(&text, "%*d ┤", static_cast<int>(label_width), (row + 1) * most / rows);
    absl::StrAppend(&text, RowText(columns, row, rows, most), "\n");
  }
  const std::string margin(label_width + 1, ' ');
  absl::StrAppend(&text, EraAxis(columns, margin), margin, " ", TimeText(series.steps.front().time_ms));
  const size_t gap = width > 2 * kTimeText ? width - 2 * kTimeText : 1;
  return absl::StrCat(text, std::string(gap, ' '), TimeText(series.end_ms), " UTC\n");
}

namespace {

// Of the SVG, in its units.
constexpr double kWidth = 900;
constexpr double kHeight = 260;
constexpr double kLeft = 40;
constexpr double kTop = 30;
constexpr double kChartWidth = kWidth - kLeft - 20;
constexpr double kChartHeight = kHeight - kTop - 50;

class SvgChart {
 public:
  explicit SvgChart(const PlotSeries& series) : series_(series), most_(MostOnline(series)) {}

  std::string Draw() const {
    std::string svg = absl::StrFormat(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" font-family=\"sans-serif\" font-size=\"12\">\n"
        "<title>Nodes online</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
        kWidth, kHeight);
    if (series_.steps.empty()) return svg + "<text x=\"40\" y=\"40\">nothing has happened yet</text>\n</svg>\n";
    return absl::StrCat(svg, Eras(), Grid(), Line(), Times(), "</svg>\n");
  }

 private:
  double X(int64_t time_ms) const {
    const int64_t begin = series_.steps.front().time_ms;
    const auto span = static_cast<double>(std::max<int64_t>(series_.end_ms - begin, 1));
    return kLeft + kChartWidth * static_cast<double>(time_ms - begin) / span;
  }
  double Y(uint64_t online) const {
    return kTop + kChartHeight * (1 - static_cast<double>(online) / static_cast<double>(most_));
  }

  // A band for each era, by turns shaded, with its number.
  std::string Eras() const {
    std::string svg;
    const std::vector<PlotStep>& steps = series_.steps;
    bool shaded = true;
    for (size_t first = 0, next = 0; first < steps.size(); first = next, shaded = !shaded) {
      while (next < steps.size() && steps[next].era == steps[first].era) ++next;
      const double from = X(steps[first].time_ms);
      const double to = X(next < steps.size() ? steps[next].time_ms : series_.end_ms);
      absl::StrAppendFormat(&svg,
                            "<rect x=\"%.1f\" y=\"%g\" width=\"%.1f\" height=\"%g\" fill=\"%s\"/>\n"
                            "<text x=\"%.1f\" y=\"%g\" fill=\"#555\">era %d</text>\n",
                            from, kTop, to - from, kChartHeight, shaded ? "#eef2f7" : "#fff", from + 3, kTop - 6,
                            steps[first].era);
    }
    return svg;
  }

  std::string Grid() const {
    std::string svg;
    const uint64_t step = (most_ + kMaxRows - 1) / kMaxRows;
    for (uint64_t online = 0; online <= most_; online += step) {
      absl::StrAppendFormat(&svg,
                            "<line x1=\"%g\" y1=\"%.1f\" x2=\"%g\" y2=\"%.1f\" stroke=\"#ccc\"/>\n"
                            "<text x=\"%g\" y=\"%.1f\" text-anchor=\"end\">%d</text>\n",
                            kLeft, Y(online), kLeft + kChartWidth, Y(online), kLeft - 6, Y(online) + 4, online);
    }
    return svg;
  }

  std::string Line() const {
    std::string path = absl::StrFormat("M%.1f %.1f", X(series_.steps.front().time_ms), Y(0));
    for (const PlotStep& step : series_.steps)
      absl::StrAppendFormat(&path, "H%.1fV%.1f", X(step.time_ms), Y(step.online));
    absl::StrAppendFormat(&path, "H%.1fV%.1fZ", X(series_.end_ms), Y(0));
    return absl::StrCat("<path d=\"", path,
                        "\" fill=\"#3b6ea5\" fill-opacity=\"0.35\" stroke=\"#1f4e82\" stroke-width=\"1.5\"/>\n");
  }

  std::string Times() const {
    const double y = kTop + kChartHeight + 20;
    return absl::StrFormat(
        "<text x=\"%g\" y=\"%g\">%s</text>\n<text x=\"%g\" y=\"%g\" text-anchor=\"end\">%s UTC</text>\n"
        "<text x=\"%g\" y=\"%g\">nodes online</text>\n",
        kLeft, y, TimeText(series_.steps.front().time_ms), kLeft + kChartWidth, y, TimeText(series_.end_ms), kLeft,
        kHeight - 8);
  }

  const PlotSeries& series_;
  const uint64_t most_;
};

}  // namespace

std::string PlotSvg(const PlotSeries& series) {
  return SvgChart(series).Draw();
}

}  // namespace qure
