#include "control/config/tsig_key_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "control/base/fd.h"
#include "control/base/text.h"
#include "proto/dns/name.h"

namespace qure {
namespace {

constexpr size_t kMostBytes = 65'536;  // of a key file
constexpr std::string_view kForms =
    "write one line ALGORITHM:NAME:SECRET, or a clause key \"NAME\" { algorithm …; secret \"…\"; }; as tsig-keygen "
    "makes it";

struct Token {
  std::string text;
  uint32_t line = 1;
};

bool IsBlank(char c) {
  return absl::ascii_isspace(static_cast<unsigned char>(c));
}

// Words, quoted strings, and each of the signs { } ; alone. Comments are # and // to the end of the line, and /* */.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : rest_(text) {}

  std::vector<Token> Tokens() {
    std::vector<Token> tokens;
    while (SkipBlanks()) {
      const uint32_t line = line_;
      if (rest_.front() == '"') {
        Take(1);
        tokens.push_back({Take(rest_.find_first_of("\"\n")), line});
        Take(1);
      } else if (IsSign(rest_.front())) {
        tokens.push_back({Take(1), line});
      } else {
        size_t end = 1;
        while (end < rest_.size() && !IsBlank(rest_[end]) && !IsSign(rest_[end]) && rest_[end] != '"') ++end;
        tokens.push_back({Take(end), line});
      }
    }
    return tokens;
  }

 private:
  static bool IsSign(char c) { return c == '{' || c == '}' || c == ';'; }

  std::string Take(size_t count) {
    const std::string_view taken = rest_.substr(0, count);
    for (const char c : taken) line_ += c == '\n' ? 1 : 0;
    rest_.remove_prefix(taken.size());
    return std::string(taken);
  }
  // Whether anything is left.
  bool SkipBlanks() {
    for (;;) {
      if (rest_.empty()) return false;
      if (IsBlank(rest_.front())) {
        Take(1);
      } else if (rest_.front() == '#' || rest_.starts_with("//")) {
        Take(rest_.find('\n'));
      } else if (rest_.starts_with("/*")) {
        const size_t end = rest_.find("*/");
        Take(end == std::string_view::npos ? end : end + 2);
      } else {
        return true;
      }
    }
  }

  std::string_view rest_;
  uint32_t line_ = 1;
};

std::optional<TsigAlgorithm> AlgorithmOf(std::string_view text) {
  std::string name = absl::AsciiStrToLower(absl::string_view(text.data(), text.size()));
  if (name.ends_with('.')) name.pop_back();
  const auto found = std::ranges::find(kTsigAlgorithmNames, name);
  if (found == kTsigAlgorithmNames.end()) return std::nullopt;
  return static_cast<TsigAlgorithm>(found - kTsigAlgorithmNames.begin());
}

class KeyFile {
 public:
  KeyFile(std::string_view text, std::string_view file) : file_(file), tokens_(Lexer(text).Tokens()) {}

  absl::StatusOr<TsigKey> Read() {
    if (tokens_.empty()) return Fail(1, Concat("has no key; ", kForms));
    return tokens_[0].text == "key" ? ReadClause() : ReadLine();
  }

 private:
  absl::Status Fail(uint32_t line, std::string_view problem) const {
    return absl::InvalidArgumentError(Concat(file_, ":", line, ": ", problem));
  }
  uint32_t last_line() const { return tokens_.back().line; }

  absl::StatusOr<TsigKey> ReadLine() {
    const Token& token = tokens_[0];
    const std::vector<std::string> parts = absl::StrSplit(token.text, ':');
    if (parts.size() != 3) return Fail(token.line, Concat("is not a key; ", kForms));
    if (tokens_.size() > 1) return Fail(tokens_[1].line, "has more than one key; leave one");
    return Make({parts[0], token.line}, {parts[1], token.line}, {parts[2], token.line});
  }

  absl::StatusOr<TsigKey> ReadClause() {
    // key NAME { KEYWORD VALUE ; … } ;
    if (tokens_.size() < 3 || tokens_[2].text != "{") return Fail(last_line(), Concat("the clause has no {; ", kForms));
    std::optional<Token> algorithm;
    std::optional<Token> secret;
    size_t at = 3;
    for (; at < tokens_.size() && tokens_[at].text != "}"; at += 3) {
      const Token& keyword = tokens_[at];
      if (at + 2 >= tokens_.size() || tokens_[at + 2].text != ";") {
        return Fail(keyword.line, Concat("is not \"algorithm NAME;\" or \"secret TEXT;\"; ", kForms));
      }
      if (keyword.text == "algorithm") {
        algorithm = tokens_[at + 1];
      } else if (keyword.text == "secret") {
        secret = tokens_[at + 1];
      } else {
        return Fail(keyword.line, "a clause key has only \"algorithm\" and \"secret\"; leave the rest out");
      }
    }
    if (at >= tokens_.size()) return Fail(last_line(), Concat("the clause has no }; ", kForms));
    if (at + 1 < tokens_.size() && tokens_[at + 1].text == ";") ++at;
    if (at + 1 < tokens_.size()) return Fail(tokens_[at + 1].line, "there is more after the key; leave one key");
    if (!algorithm) return Fail(tokens_[1].line, "the key has no algorithm; write algorithm hmac-sha256;");
    if (!secret) return Fail(tokens_[1].line, "the key has no secret; write secret \"…\"; in base64");
    return Make(*algorithm, tokens_[1], *secret);
  }

  absl::StatusOr<TsigKey> Make(const Token& algorithm, const Token& name, const Token& secret) const {
    const auto known = AlgorithmOf(algorithm.text);
    if (!known) return Fail(algorithm.line, "the algorithm is unknown; use hmac-sha256, hmac-sha384 or hmac-sha512");
    std::optional<std::string> wire = DnsNameToWire(name.text);
    if (!wire || wire->size() < 2) return Fail(name.line, "the key's name is not a DNS name; use one like \"home1\"");
    TsigKey key{.name = *std::move(wire), .algorithm = *known, .secret = {}};
    if (!absl::Base64Unescape(secret.text, &key.secret) || key.secret.empty()) {
      return Fail(secret.line, "the secret is not base64; copy it whole from the server's configuration");
    }
    return key;
  }

  std::string_view file_;
  std::vector<Token> tokens_;
};

}  // namespace

absl::StatusOr<TsigKey> ParseTsigKey(std::string_view text, std::string_view file) {
  return KeyFile(text, file).Read();
}

absl::StatusOr<TsigKey> LoadTsigKey(const std::string& path) {
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  ssize_t length = file.valid() ? 1 : -1;
  while (length > 0 && text.size() <= kMostBytes) {
    char chunk[4096];
    length = read(file.get(), chunk, sizeof(chunk));
    if (length > 0) text.append(chunk, static_cast<size_t>(length));
  }
  if (length < 0) {
    return absl::ErrnoToStatus(errno, Concat(path, ": cannot be read; put the key there, or name another file"));
  }
  if (text.size() > kMostBytes) return absl::InvalidArgumentError(Concat(path, ":1: is not a key file; ", kForms));
  return ParseTsigKey(text, path);
}

}  // namespace qure
