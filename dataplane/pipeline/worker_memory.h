// What a worker remembers from frame to frame, as the stages of the pipeline see it. FlowKeeper and DnsKeeper own it.
#pragma once

#include "dataplane/pipeline/cluster_admission.h"
#include "dataplane/pipeline/dns_limiter.h"
#include "dataplane/pipeline/flow_table.h"
#include "dataplane/pipeline/heavy_hitter_detector.h"
#include "dataplane/pipeline/request_watch.h"
#include "proto/dns/query_log.h"
#include "proto/flow.h"

namespace qure {

struct FlowMemory {
  FlowTable* table = nullptr;                    // not null where the snapshot has a balance
  HeavyHitterDetector* heavy_hitters = nullptr;  // null: not watched for
  RequestWatch* requests = nullptr;              // the same
};

struct DnsMemory {
  DnsLimiter* limiter = nullptr;   // null: DNS is answered without limit
  DnsQueryLog* queries = nullptr;  // null: DNS queries are not counted
};

struct WorkerMemory {
  FlowMemory flows;
  DnsMemory dns;
  ClusterAdmission* cluster = nullptr;  // null: the cluster's port is without limit
  FlowTime now;                         // of the burst
};

}  // namespace qure
