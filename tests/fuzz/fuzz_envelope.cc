// What comes from the LAN for the cluster, up to the messages. The first input byte chooses:
//   bit 0: the rest is the plain text of an authentic envelope, otherwise it is the datagram itself
//   bit 1: its sender has not proven that it is alive
//   bit 2: the plain text is all there is; otherwise where the sender is follows it, as in every message
#include <random>

#include "control/core/cluster/transport.h"
#include "control/core/wire.h"
#include "proto/net/udp_frame.h"
#include "tests/fuzz/fuzz.h"

namespace qure {
namespace {

constexpr MonoTime kNow{1'000'000'000'000};

struct Peer {
  explicit Peer(uint8_t number) : id{number}, boot{number, 1}, random(number) {
    transport.Configure({.cluster = {0xc1},
                         .keyring = {.keys = {{.id = 7, .key = {0x11}}}, .use = 7},
                         .group = {{239, 192, 1, 2}},
                         .address = {{192, 0, 2, number}},
                         .mac = {{2, 0, 0, 0, 0, number}}});
  }
  Datagram DatagramOf(const Action& action) const {
    const ConstBytes payload = ConstBytes(std::get<SendFrame>(action).bytes).subspan(kUdpFrameHeaders);
    return {transport.config().mac, Delivery::kUnicast, fuzz::Copy(payload)};
  }
  uint64_t rejected() const {
    uint64_t sum = 0;
    for (const uint64_t count : transport.rejected()) sum += count;
    return sum;
  }

  NodeId id;
  BootId boot;
  std::minstd_rand random;
  Transport transport{id, boot, random};
};

// `to` believes that `from` is alive.
void Introduce(Peer* from, Peer* to) {
  wire::Message query;
  query.mutable_query();
  Actions said, challenge, echo;
  from->transport.SendToAll(query, &said);
  FUZZ_CHECK(!to->transport.Receive(kNow, from->DatagramOf(said.at(0)), &challenge));
  FUZZ_CHECK(!from->transport.Receive(kNow, to->DatagramOf(challenge.at(0)), &echo));
  FUZZ_CHECK(!to->transport.Receive(kNow, from->DatagramOf(echo.at(0)), &challenge));
}

Datagram Sealed(const Peer& from, ConstBytes plain, bool complete) {
  wire::Message sender_address;
  sender_address.mutable_from()->set_mac(WriteMac(from.transport.config().mac));
  sender_address.mutable_from()->set_address(WriteAddress(from.transport.config().address));
  std::string text(reinterpret_cast<const char*>(plain.data()), plain.size());
  if (!complete) text += sender_address.SerializeAsString();
  const EnvelopeHeader header{.magic = Be16(kEnvelopeMagic),
                              .version = kEnvelopeVersion,
                              .channel = static_cast<uint8_t>(Channel::kControl),
                              .key_id = Be32(7),
                              .sender = from.id,
                              .boot = from.boot,
                              .counter = Be64(1'000'000),
                              .salt = {}};
  Datagram datagram{from.transport.config().mac, Delivery::kMulticast, {}};
  Seal(from.transport.SendKey().key, header, AsBytes(text), &datagram.payload);
  return datagram;
}

void CheckEnvelope(ConstBytes datagram) {
  const EnvelopeHeader* header = PeekEnvelope(datagram);
  FUZZ_CHECK(header == nullptr || reinterpret_cast<const uint8_t*>(header) == datagram.data());
  FUZZ_CHECK(header == nullptr || datagram.size() >= kEnvelopeOverhead);
  std::vector<uint8_t> plain(datagram.size() < kEnvelopeOverhead ? 0 : datagram.size() - kEnvelopeOverhead);
  FUZZ_CHECK(!Unseal(SessionKey{1}, datagram, plain));
}

// A datagram is believed or counted, or is a challenge or its echo; whichever, it is believed once.
void CheckReceive(Peer* self, const Datagram& datagram, bool sealed, bool proven) {
  const uint64_t before = self->rejected();
  Actions out;
  const std::optional<Incoming> incoming = self->transport.Receive(kNow, datagram, &out);
  const uint64_t counted = self->rejected() - before;
  FUZZ_CHECK(counted <= (incoming ? 0u : 1u));
  FUZZ_CHECK(out.size() <= 2);
  for (const Action& action : out) {
    const std::vector<uint8_t> payload = self->DatagramOf(action).payload;
    FUZZ_CHECK(PeekEnvelope(payload) != nullptr && payload.size() <= kMaxDatagram);
  }
  FUZZ_CHECK(sealed || (!incoming && counted == 1 && out.empty()));
  FUZZ_CHECK(proven || !incoming);
  if (incoming) {
    FUZZ_CHECK(incoming->message.body_case() != wire::Message::BODY_NOT_SET);
    FUZZ_CHECK(!incoming->message.has_challenge() && !incoming->message.has_challenge_echo());
  }
  FUZZ_CHECK(!self->transport.Receive(kNow, datagram, &out));
}

}  // namespace
}  // namespace qure

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace qure;
  fuzz::Input input({data, size});
  const uint8_t choice = input.Byte();
  const bool sealed = (choice & 1) != 0;
  const bool proven = (choice & 2) == 0;
  const bool complete = (choice & 4) != 0;
  Peer self(1), peer(2);
  if (proven) Introduce(&peer, &self);
  CheckEnvelope(input.rest());
  const Datagram raw{peer.transport.config().mac, Delivery::kBroadcast, fuzz::Copy(input.rest())};
  CheckReceive(&self, sealed ? Sealed(peer, input.rest(), complete) : raw, sealed, proven);
  return 0;
}
