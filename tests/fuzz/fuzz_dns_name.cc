// DNS names: the input is taken as text, and as wire form.
#include "proto/dns/name.h"
#include "tests/fuzz/fuzz.h"

namespace qure {
namespace {

ConstBytes BytesOf(const std::string& wire) {
  return {reinterpret_cast<const uint8_t*>(wire.data()), wire.size()};
}

// Whether these are labels of 1 … 63 bytes without capital letters, a root label, and nothing more.
bool IsLowerCaseName(ConstBytes wire) {
  if (wire.size() > kDnsMaxName) return false;
  for (const uint8_t c : wire) {
    if (c >= 'A' && c <= 'Z') return false;
  }
  size_t offset = 0;
  while (offset < wire.size() && wire[offset] != 0) {
    if (wire[offset] > 63) return false;
    offset += 1u + wire[offset];
  }
  return offset + 1 == wire.size();
}

}  // namespace
}  // namespace qure

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace qure;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto wire = DnsNameToWire(text)) {
    FUZZ_CHECK(IsLowerCaseName(BytesOf(*wire)));
    FUZZ_CHECK(DnsNameToWire(DnsNameToText(BytesOf(*wire))) == wire);
  }
  const std::string as_text = DnsNameToText({data, size});
  FUZZ_CHECK(!as_text.empty() && as_text.back() == '.');
  if (IsLowerCaseName({data, size})) FUZZ_CHECK(DnsNameToWire(as_text) == text);
  return 0;
}
