// What comes from the LAN on the channel of admission, where nobody is known. The first input byte chooses what the
// rest is: 0 a datagram, 1 the bytes of a proof, 2 the plain text of RECORDS, 3 that of WELCOME.
#include <random>
#include <variant>

#include "control/core/admission/admitter.h"
#include "control/core/admission/candidate.h"
#include "control/core/admission/proof.h"
#include "tests/fuzz/fuzz.h"

namespace qure::admission {
namespace {

constexpr MonoTime kNow{1'000'000'000'000};
constexpr MacAddress kOwnMac{{2, 0, 0, 0, 0, 1}};

DrawSecret DrawOf(std::minstd_rand* random) {
  return [random](MutableBytes bytes) {
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>((*random)());
  };
}

const SigningKey& KeyOf(uint8_t number) {
  static const SigningKey keys[] = {SigningKeyOf({1}), SigningKeyOf({2}), SigningKeyOf({3})};
  return keys[number];
}

const RecordSet& Founded() {
  static const RecordSet records(
      Record::Sign(Genesis{.cluster = {1},
                           .recovery = KeyOf(0).public_key,
                           .founder = {.identity = KeyOf(1).public_key, .node = NodeIdOf(KeyOf(1).public_key)}},
                   KeyOf(0)));
  return records;
}

// What is read is written as the same bytes.
void CheckMessage(ConstBytes datagram) {
  const auto read = ReadMessage(datagram);
  const auto* message = std::get_if<AdmissionMessage>(&read);
  if (message == nullptr) return;
  FUZZ_CHECK(datagram.size() <= kMaxDatagram);
  FUZZ_CHECK(fuzz::SameBytes(WriteMessage(*message), datagram));
  if (const auto* candidate = std::get_if<CandidateMessage>(message)) {
    CandidateMessage other = *candidate;
    other.cookie[0] ^= 1;
    FUZZ_CHECK(TranscriptOf(other) == TranscriptOf(*candidate));
  }
}

// Neither side does anything for a datagram whose signature does not hold, but for a list that is shown.
void CheckSides(ConstBytes datagram, const MacAddress& source) {
  std::minstd_rand random(1);
  AdmissionActions out;
  Candidate candidate({.identity = KeyOf(2), .mac = kOwnMac, .name = "n"}, DrawOf(&random), random, kNow);
  candidate.OnDatagram(kNow, source, datagram, &out);
  FUZZ_CHECK(candidate.state() == CandidateState::kBare && out.empty());

  const View view = ViewOf(Founded());
  const SessionKeys keys;
  Admitter admitter(DrawOf(&random));
  const AdmitterFacts facts{
      .identity = KeyOf(1), .mac = kOwnMac, .records = Founded(), .view = view, .keys = keys, .cluster_name = "home"};
  admitter.invitations().SetAuto(AutoAdmit::kAll);
  admitter.OnDatagram(kNow, source, datagram, facts, &out);
  FUZZ_CHECK(admitter.handshakes() == 0 && out.empty());
}

void CheckProof(ConstBytes proof) {
  const auto judged = JudgeProof(proof, KeyOf(1).public_key);
  const auto* records = std::get_if<RecordSet>(&judged);
  FUZZ_CHECK(records == nullptr || ViewOf(*records).members.contains(KeyOf(1).public_key));
  FUZZ_CHECK(RecordsIn(proof) <= proof.size() / sizeof(uint16_t));
}

void CheckContent(ConstBytes plain) {
  const auto welcome = ReadWelcome(plain, KeyOf(0).public_key);
  FUZZ_CHECK(!welcome || fuzz::SameBytes(WriteWelcome(*welcome), plain));
}

}  // namespace
}  // namespace qure::admission

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace qure::admission;
  qure::fuzz::Input input({data, size});
  const uint8_t choice = input.Byte();
  const std::vector<uint8_t> rest = qure::fuzz::Copy(input.rest());
  switch (choice) {
    case 0:
      CheckMessage(rest);
      CheckSides(rest, {{0x02, 0x11, 0x11, 0x11, 0x11, 0x10}});  // the one in the seeds
      break;
    case 1:
      CheckProof(rest);
      break;
    case 2:
      RecordCollector{Founded()}.Take(0, rest);
      break;
    case 3:
      CheckContent(rest);
      break;
    default:
      break;
  }
  return 0;
}
