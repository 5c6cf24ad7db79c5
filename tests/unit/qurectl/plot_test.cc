#include "control/qurectl/plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace qure {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr int64_t kBegin = 1'700'000'000'000;  // 2023-11-14T22:13:20Z
constexpr int64_t kHour = 3'600'000;

// Three nodes come up, one goes for a moment, all go; a new era begins with one, then two.
PlotSeries Sample() {
  return {{{kBegin, 1, 1},
           {kBegin + kHour, 1, 3},
           {kBegin + 6 * kHour, 1, 2},
           {kBegin + 6 * kHour + 1, 1, 3},
           {kBegin + 12 * kHour, 1, 0},
           {kBegin + 16 * kHour, 2, 1},
           {kBegin + 20 * kHour, 2, 2}},
          kBegin + 24 * kHour};
}

TEST(ReadSeries, TakesTheAnswerApart) {
  const auto history = nlohmann::ordered_json::parse(
      R"({"online": [{"time_ms": 5, "era": 1, "online": 2}, {"time_ms": 9, "era": 3, "online": 1}], "now_ms": 7})");
  const PlotSeries series = ReadSeries(history);
  ASSERT_EQ(series.steps.size(), 2u);
  EXPECT_EQ(series.steps[1].time_ms, 9);
  EXPECT_EQ(series.steps[1].era, 3u);
  EXPECT_EQ(series.steps[1].online, 1u);
  EXPECT_EQ(series.end_ms, 9) << "the wall clock may be behind";
  EXPECT_THROW(ReadSeries({{"online", 1}}), nlohmann::json::exception);
}

TEST(PlotText, DrawsABlockForEachNode) {
  EXPECT_EQ(PlotText(Sample(), 48),
            "nodes online\n"
            "  3 ┤  ██████████ ███████████                        \n"
            "  2 ┤  ██████████████████████                ████████\n"
            "  1 ┤████████████████████████        ████████████████\n"
            "    └┬───────────────────────────────┬───────────────\n"
            "era  1                               2\n"
            "     2023-11-14 22:13                2023-11-15 22:13 UTC\n");
}

TEST(PlotText, ShowsTheShortestOutage) {
  PlotSeries series{{{kBegin, 1, 1}, {kBegin + kHour, 1, 0}, {kBegin + kHour + 1, 1, 1}}, kBegin + 1000 * kHour};
  const std::string text = PlotText(series, 40);
  EXPECT_THAT(text, HasSubstr("  1 ┤ ███"));
}

TEST(PlotText, ScalesManyNodesToEightRows) {
  const PlotSeries series{{{kBegin, 1, 64}, {kBegin + kHour, 1, 4}}, kBegin + 2 * kHour};
  const std::string text = PlotText(series, 24);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 8 + 4);
  EXPECT_THAT(text, AllOf(HasSubstr(" 64 ┤████████████            \n"), HasSubstr("  8 ┤████████████▄▄▄▄▄▄▄▄▄▄▄▄\n")));
}

TEST(PlotText, WithoutStepsThereIsNoChart) {
  EXPECT_EQ(PlotText({}, 40).find("online"), std::string::npos);
}

TEST(PlotText, OneInstantIsAChartToo) {
  EXPECT_THAT(PlotText({{{kBegin, 1, 1}}, kBegin}, 24), HasSubstr("  1 ┤████████████████████████\n"));
}

TEST(PlotText, ErasWithoutRoomForTheirNumbersHaveTheirTick) {
  PlotSeries series;
  for (uint64_t era = 100; era < 124; ++era)
    series.steps.push_back({kBegin + static_cast<int64_t>(era) * kHour, era, 1});
  series.end_ms = series.steps.back().time_ms + kHour;
  EXPECT_THAT(PlotText(series, 24),
              AllOf(HasSubstr("└┬┬┬┬┬┬┬┬┬┬┬┬┬┬┬┬┬┬┬┬┬┬┬┬\n"), HasSubstr("100 104 108 112 116 120\n")));
}

size_t CountOf(std::string_view needle, std::string_view text) {
  size_t count = 0;
  for (size_t at = text.find(needle); at != text.npos; at = text.find(needle, at + 1)) ++count;
  return count;
}

TEST(PlotSvg, DrawsErasAndSteps) {
  const std::string svg = PlotSvg(Sample());
  EXPECT_TRUE(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
  EXPECT_EQ(CountOf(">era ", svg), 2u);
  // From the left edge at the bottom to one, an hour later to three …, at the end to the bottom.
  EXPECT_THAT(svg, HasSubstr("d=\"M40.0 210.0H40.0V150.0H75.0V30.0"));
  EXPECT_THAT(svg, HasSubstr("H880.0V210.0Z\""));
  EXPECT_THAT(svg, HasSubstr("2023-11-15 22:13 UTC"));
  EXPECT_EQ(CountOf("<text", svg), CountOf("</text>", svg));
}

TEST(PlotSvg, IsADocumentEvenWithoutSteps) {
  EXPECT_THAT(PlotSvg({}), AllOf(HasSubstr("<svg"), HasSubstr("nothing has happened yet"), HasSubstr("</svg>")));
}

}  // namespace
}  // namespace qure
