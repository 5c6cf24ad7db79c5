#include "proto/dns/tsig.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <optional>

#include "proto/dns/message.h"
#include "proto/dns/name.h"
#include "proto/dns/rdata.h"

namespace qure {
namespace {

constexpr uint16_t kTypeTsig = 250;
constexpr size_t kHeader = 12;
constexpr size_t kAdditionalCount = 10;  // where ARCOUNT is in the header
constexpr size_t kMostPointers = 16;     // in one name
constexpr size_t kMostRecords = 4096;    // of a message of 64 KiB: each takes 11 bytes at least, and few have so many
constexpr size_t kTimersAndSizes = 16;   // of a TSIG's rdata, without algorithm, MAC and other data

const EVP_MD* DigestOf(TsigAlgorithm algorithm) {
  switch (algorithm) {
    case TsigAlgorithm::kHmacSha256:
      return EVP_sha256();
    case TsigAlgorithm::kHmacSha384:
      return EVP_sha384();
    case TsigAlgorithm::kHmacSha512:
      return EVP_sha512();
  }
  return EVP_sha256();
}

std::string AlgorithmName(TsigAlgorithm algorithm) {
  return DnsNameToWire(NameOf(algorithm)).value();
}

// Bounded reading; after the first step beyond the end nothing is sound.
class Reader {
 public:
  Reader(ConstBytes message, size_t at) : message_(message), at_(at) {}

  bool sound() const { return sound_; }
  size_t at() const { return at_; }
  uint64_t Number(size_t bytes) {
    uint64_t value = 0;
    for (const char byte : Text(bytes)) value = value << 8 | static_cast<uint8_t>(byte);
    return value;
  }
  std::string Text(size_t bytes) {
    sound_ = sound_ && bytes <= message_.size() - at_;
    if (!sound_) return {};
    const auto* const begin = reinterpret_cast<const char*>(message_.data()) + at_;
    at_ += bytes;
    return {begin, bytes};
  }
  // A name in lower case, with its pointers followed (RFC 1035 §4.1.4).
  std::string Name() {
    std::string name;
    std::optional<size_t> end;  // behind the first pointer
    for (size_t pointers = 0; sound_ && pointers <= kMostPointers && name.size() < kDnsMaxName;) {
      const uint64_t length = Number(1);
      if (length >= 0xc0) {
        const uint64_t target = (length & 0x3f) << 8 | Number(1);
        if (!end) end = at_;
        sound_ = sound_ && target < message_.size();
        if (sound_) at_ = target;
        ++pointers;
        continue;
      }
      if (length > kDnsMaxLabel || !sound_) break;
      name.push_back(static_cast<char>(length));
      if (length == 0) {
        at_ = end.value_or(at_);
        return DnsToLower(name);
      }
      name += Text(length);
    }
    sound_ = false;
    return {};
  }

 private:
  ConstBytes message_;
  size_t at_;
  bool sound_ = true;
};

struct Tsig {
  size_t begin = 0;  // of the record in the message
  std::string key_name;
  std::string algorithm;
  uint64_t time = 0;
  uint16_t fudge = 0;
  std::string mac;
  uint16_t original_id = 0;
  uint16_t error = 0;
  std::string other;
};

void ReadRdata(Reader* reader, Tsig* tsig) {
  tsig->algorithm = reader->Name();
  tsig->time = reader->Number(6);
  tsig->fudge = static_cast<uint16_t>(reader->Number(2));
  tsig->mac = reader->Text(reader->Number(2));
  tsig->original_id = static_cast<uint16_t>(reader->Number(2));
  tsig->error = static_cast<uint16_t>(reader->Number(2));
  tsig->other = reader->Text(reader->Number(2));
}

// The TSIG record, which is the last one (RFC 8945 §4.2, §5.1).
std::optional<Tsig> FindTsig(ConstBytes message) {
  if (message.size() < kHeader) return std::nullopt;
  Reader reader(message, 4);
  const uint64_t questions = reader.Number(2);
  uint64_t records = reader.Number(2);
  records += reader.Number(2);
  const uint64_t additional = reader.Number(2);
  records += additional;
  if (additional == 0 || questions + records > kMostRecords) return std::nullopt;
  for (uint64_t i = 0; i < questions && reader.sound(); ++i) {
    reader.Name();
    reader.Number(4);
  }
  for (uint64_t i = 0; i < records && reader.sound(); ++i) {
    Tsig tsig{.begin = reader.at(), .key_name = reader.Name()};
    const uint64_t type = reader.Number(2);
    const uint64_t record_class = reader.Number(2);
    const uint64_t ttl = reader.Number(4);
    const uint64_t length = reader.Number(2);
    const size_t end = reader.at() + length;
    if (i + 1 < records) {
      reader.Text(length);
    } else if (type == kTypeTsig && record_class == kDnsClassAny && ttl == 0) {
      ReadRdata(&reader, &tsig);
      if (reader.sound() && reader.at() == end && end == message.size()) return tsig;
    }
  }
  return std::nullopt;
}

// RFC 8945 §4.3.3.
std::string Variables(const Tsig& tsig) {
  std::string bytes = tsig.key_name;
  AppendNumber(kDnsClassAny, 2, &bytes);
  AppendNumber(0, 4, &bytes);  // TTL
  bytes += tsig.algorithm;
  AppendNumber(tsig.time, 6, &bytes);
  AppendNumber(tsig.fudge, 2, &bytes);
  AppendNumber(tsig.error, 2, &bytes);
  AppendNumber(tsig.other.size(), 2, &bytes);
  return bytes + tsig.other;
}

std::string Mac(const TsigKey& key, std::string_view bytes) {
  std::array<uint8_t, EVP_MAX_MD_SIZE> mac;
  unsigned length = 0;
  HMAC(DigestOf(key.algorithm), key.secret.data(), static_cast<int>(key.secret.size()),
       reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), mac.data(), &length);
  return {reinterpret_cast<const char*>(mac.data()), length};
}

void SetAdditionalCount(uint16_t count, char* message) {
  message[kAdditionalCount] = static_cast<char>(count >> 8);
  message[kAdditionalCount + 1] = static_cast<char>(count);
}

uint16_t AdditionalCount(ConstBytes message) {
  return static_cast<uint16_t>(message[kAdditionalCount] << 8 | message[kAdditionalCount + 1]);
}

// What an answer is signed over (RFC 8945 §5.3): the request's MAC, and the message as it was before it was signed.
std::string SignedBytes(std::string_view request_mac, ConstBytes answer, const Tsig& tsig) {
  std::string bytes;
  AppendNumber(request_mac.size(), 2, &bytes);
  bytes += request_mac;
  std::string message;
  AppendNumber(tsig.original_id, 2, &message);
  message += AsText(answer.subspan(2, tsig.begin - 2));
  SetAdditionalCount(static_cast<uint16_t>(AdditionalCount(answer) - 1), message.data());
  return bytes + message + Variables(tsig);
}

}  // namespace

std::string TsigSign(const TsigKey& key, uint64_t time, std::vector<uint8_t>* message) {
  Tsig tsig{.key_name = key.name, .algorithm = AlgorithmName(key.algorithm), .time = time, .fudge = kTsigFudge};
  tsig.mac = Mac(key, std::string(AsText(*message)) + Variables(tsig));
  std::string record = tsig.key_name;
  AppendNumber(kTypeTsig, 2, &record);
  AppendNumber(kDnsClassAny, 2, &record);
  AppendNumber(0, 4, &record);
  AppendNumber(tsig.algorithm.size() + tsig.mac.size() + kTimersAndSizes, 2, &record);
  record += tsig.algorithm;
  AppendNumber(tsig.time, 6, &record);
  AppendNumber(tsig.fudge, 2, &record);
  AppendNumber(tsig.mac.size(), 2, &record);
  record += tsig.mac;
  record.push_back(static_cast<char>((*message)[0]));  // the original id
  record.push_back(static_cast<char>((*message)[1]));
  AppendNumber(0, 2, &record);  // error
  AppendNumber(0, 2, &record);  // other data
  const auto additional = static_cast<uint16_t>(AdditionalCount(*message) + 1);
  message->insert(message->end(), record.begin(), record.end());
  SetAdditionalCount(additional, reinterpret_cast<char*>(message->data()));
  return tsig.mac;
}

TsigResult TsigVerify(const TsigKey& key, std::string_view request_mac, uint64_t now, ConstBytes answer) {
  using Kind = TsigResult::Kind;
  const std::optional<Tsig> tsig = FindTsig(answer);
  if (!tsig) return {};
  // An answer BADTIME repeats our time and has the server's in its other data (RFC 8945 §5.2.3).
  const bool bad_time = tsig->error == kTsigBadTime;
  TsigResult result{.error = tsig->error, .server_time = bad_time ? NumberIn(tsig->other) : tsig->time};
  if (tsig->mac.empty()) return result;
  result.kind = Kind::kForeign;
  if (tsig->key_name != key.name || tsig->algorithm != AlgorithmName(key.algorithm)) return result;
  const std::string right = Mac(key, SignedBytes(request_mac, answer, *tsig));
  result.kind = Kind::kForged;
  if (tsig->mac.size() != right.size() || CRYPTO_memcmp(tsig->mac.data(), right.data(), right.size()) != 0) {
    return result;
  }
  const uint64_t apart = now > tsig->time ? now - tsig->time : tsig->time - now;
  result.kind = apart > tsig->fudge && !bad_time ? Kind::kStale : Kind::kSound;
  return result;
}

}  // namespace qure
