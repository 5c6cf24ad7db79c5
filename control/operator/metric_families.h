// The metric families of one scrape, as they are collected.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "control/operator/histogram.h"
#include "prometheus/client_metric.h"
#include "prometheus/metric_family.h"

namespace qure {

using MetricLabels = std::vector<prometheus::ClientMetric::Label>;

class Families {
 public:
  void Begin(prometheus::MetricType type, std::string name, std::string help) {
    prometheus::MetricFamily family;
    family.type = type;
    family.name = std::move(name);
    family.help = std::move(help);
    families_.push_back(std::move(family));
  }
  // A sample of the last family.
  void Add(MetricLabels labels, double value) {
    prometheus::ClientMetric metric;
    metric.label = std::move(labels);
    if (families_.back().type == prometheus::MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
    families_.back().metric.push_back(std::move(metric));
  }
  void Add(MetricLabels labels, uint64_t value) { Add(std::move(labels), static_cast<double>(value)); }
  void Single(prometheus::MetricType type, std::string name, std::string help, double value) {
    Begin(type, std::move(name), std::move(help));
    Add({}, value);
  }
  void Gauge(std::string name, std::string help, double value) {
    Single(prometheus::MetricType::Gauge, std::move(name), std::move(help), value);
  }
  void Histogram(std::string name, std::string help, const DurationHistogram& histogram) {
    Begin(prometheus::MetricType::Histogram, std::move(name), std::move(help));
    prometheus::ClientMetric metric;
    metric.histogram.sample_count = histogram.count();
    metric.histogram.sample_sum = ToSeconds(histogram.sum());
    for (size_t i = 0; i < DurationHistogram::kBounds.size(); ++i) {
      metric.histogram.bucket.push_back({histogram.cumulative(i), ToSeconds(DurationHistogram::kBounds[i])});
    }
    metric.histogram.bucket.push_back({histogram.count(), std::numeric_limits<double>::infinity()});
    families_.back().metric.push_back(std::move(metric));
  }

  std::vector<prometheus::MetricFamily> Take() { return std::move(families_); }

 private:
  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace qure
