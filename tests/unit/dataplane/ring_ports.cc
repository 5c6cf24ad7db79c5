#include "tests/unit/dataplane/ring_ports.h"

#include <gtest/gtest.h>
#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring_elem.h>
#include <sys/eventfd.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "dataplane/pipeline/flow_keeper.h"

namespace qure::testing {
namespace {

// Ends the tests at once: nothing can be tested without its world.
void Require(bool condition, const char* what) {
  if (condition) return;
  ADD_FAILURE() << what;
  std::abort();
}

rte_ring* Ring(const std::string& name, unsigned size) {
  rte_ring* const ring = rte_ring_create(name.c_str(), size, SOCKET_ID_ANY, 0);
  Require(ring != nullptr, "ring");
  return ring;
}

rte_ring* EventRing(const char* name, unsigned size) {
  rte_ring* const ring = rte_ring_create_elem(name, sizeof(Event), size, SOCKET_ID_ANY, 0);
  Require(ring != nullptr, "event ring");
  return ring;
}

RingPort MakePort(const std::string& name, rte_mempool* pool) {
  RingPort port;
  port.to_worker = Ring(name + "_rx", kPortRing);
  port.from_worker = Ring(name + "_tx", kPortRing);
  const int id = rte_eth_from_rings(name.c_str(), &port.to_worker, 1, &port.from_worker, 1, 0);
  Require(id >= 0, "ring port");
  port.id = static_cast<uint16_t>(id);
  const rte_eth_conf conf = {};
  Require(rte_eth_dev_configure(port.id, 1, 1, &conf) == 0, "configure");
  Require(rte_eth_rx_queue_setup(port.id, 0, kPortRing, 0, nullptr, pool) == 0, "receive queue");
  Require(rte_eth_tx_queue_setup(port.id, 0, kPortRing, 0, nullptr) == 0, "transmit queue");
  Require(rte_eth_dev_start(port.id) == 0, "start");
  return port;
}

void StartEal() {
  std::array<std::string, 9> arguments = {
      "dataplane_test", "--no-huge",         "-m",          "64", "--no-pci", "--no-shconf",
      "--no-telemetry", "--log-level=error", "--lcores=0@0"};
  std::vector<char*> argv;
  argv.reserve(arguments.size());
  for (std::string& argument : arguments) argv.push_back(argument.data());
  Require(rte_eal_init(static_cast<int>(argv.size()), argv.data()) >= 0, "EAL");
}

RingWorld Make() {
  StartEal();
  RingWorld world;
  world.pool = rte_pktmbuf_pool_create("test_mbufs", 1023, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  Require(world.pool != nullptr, "pool");
  world.lan = MakePort("net_ring_lan", world.pool);
  world.host = MakePort("net_ring_host", world.pool);
  world.control = Ring("test_control", kPortRing);
  world.cluster = {.messages = Ring("test_messages", kPortRing),
                   .strangers = Ring("test_strangers", kPortRing),
                   .adoptions = Ring("test_adoptions", kPortRing)};
  world.heartbeats = Ring("test_heartbeats", kPortRing);
  world.events = EventRing("test_events", 1024);
  world.few_events = EventRing("test_few_events", 4);
  world.flow_reports = rte_ring_create_elem("test_flow_reports", sizeof(PinnedFlow), 64, SOCKET_ID_ANY, 0);
  world.flow_lessons = rte_ring_create_elem("test_flow_lessons", sizeof(PinnedFlow), 64, SOCKET_ID_ANY, 0);
  Require(world.flow_reports != nullptr && world.flow_lessons != nullptr, "flow rings");
  world.event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  return world;
}

}  // namespace

void RingPort::Send(rte_mbuf* mbuf) const {
  ASSERT_EQ(rte_ring_enqueue(to_worker, mbuf), 0);
}

std::vector<Bytes> RingPort::Take() const {
  std::vector<Bytes> frames;
  void* object = nullptr;
  while (rte_ring_dequeue(from_worker, &object) == 0) {
    auto* const mbuf = static_cast<rte_mbuf*>(object);
    const auto* const data = rte_pktmbuf_mtod(mbuf, const uint8_t*);
    EXPECT_EQ(mbuf->pkt_len, mbuf->data_len);
    frames.emplace_back(data, data + mbuf->data_len);
    rte_pktmbuf_free(mbuf);
  }
  return frames;
}

RingWorld& RingWorld::Get() {
  static RingWorld world = Make();
  return world;
}

rte_mbuf* RingWorld::Mbuf(const Bytes& frame) const {
  rte_mbuf* const mbuf = rte_pktmbuf_alloc(pool);
  Require(mbuf != nullptr, "mbuf");
  char* const room = rte_pktmbuf_append(mbuf, static_cast<uint16_t>(frame.size()));
  Require(room != nullptr, "room in the mbuf");
  std::memcpy(room, frame.data(), frame.size());
  return mbuf;
}

std::vector<Event> RingWorld::TakeEvents() const {
  std::vector<Event> taken;
  Event event;
  for (rte_ring* const ring : {events, few_events}) {
    while (rte_ring_dequeue_elem(ring, &event, sizeof(event)) == 0) taken.push_back(event);
  }
  return taken;
}

}  // namespace qure::testing
