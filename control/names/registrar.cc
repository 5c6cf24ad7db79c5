#include "control/names/registrar.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_join.h"
#include "control/base/log.h"
#include "control/base/text.h"
#include "control/names/clock.h"
#include "control/names/update_error.h"
#include "proto/dns/message.h"
#include "proto/dns/name.h"

namespace qure {
namespace {

using nlohmann::ordered_json;

RegistrarOptions WithDefaults(RegistrarOptions options) {
  if (!options.wall_clock) options.wall_clock = UnixNow;
  return options;
}

ordered_json Texts(const std::vector<IpAddress>& addresses) {
  ordered_json texts = ordered_json::array();
  for (const IpAddress& address : addresses) texts.push_back(ToString(address));
  return texts;
}

ordered_json OrNull(const std::string& text) {
  return text.empty() ? ordered_json(nullptr) : ordered_json(text);
}

RegistrationPlan PlanFor(const RegistrationConfig& config, const std::string& cluster) {
  return {.names = NamesOf(config),
          .ttl = config.ttl,
          .refresh = config.refresh,
          .cluster = cluster,
          .wanted = config.enabled};
}

}  // namespace

Registrar::Registrar(asio::io_context& io, PublicAddressCallback report, RegistrarOptions options)
    : report_(std::move(report)),
      options_(WithDefaults(std::move(options))),
      timer_(io),
      leave_timer_(io),
      exchange_(io),
      echo_(io,
            [this] {
              FollowAddresses();
              Pump();
            }),
      registration_(random_) {}

void Registrar::Configure(const ClusterConfig& config) {
  const MonoTime now = SteadyNow();
  const bool changed = config_ != config.registration;
  config_ = config.registration;
  registration_.SetPlan(now, config_ ? std::optional(PlanFor(*config_, config.name)) : std::nullopt);
  if (changed) registration_.LookAgain(now);
  FollowAddresses();
  Pump();
}

void Registrar::OnFacts(const ClusterFacts& facts) {
  const auto active = [](const ClusterFacts::Node& node) { return node.alive; };
  alone_ = facts.nodes.empty() || std::none_of(facts.nodes.begin() + 1, facts.nodes.end(), active);
  registration_.SetMaster(SteadyNow(), facts.master);
  Pump();
}

// Every node queries the echo servers, so that a new master knows the addresses at once.
void Registrar::FollowAddresses() {
  if (config_ && config_->addresses.empty()) {
    echo_.Start(config_->echo, config_->echo_name);
  } else {
    echo_.Stop();
  }
  const bool given = config_ && !config_->addresses.empty();
  const std::vector<IpAddress>& addresses = given ? config_->addresses : echo_.result().addresses();
  registration_.SetAddresses(SteadyNow(), addresses);
  if (addresses == addresses_) return;
  addresses_ = addresses;
  if (report_) report_(addresses_);
}

void Registrar::Leave(std::function<void()> done) {
  left_ = std::move(done);
  if (!alone_) return EndLeave();
  leave_timer_.expires_after(std::chrono::nanoseconds(options_.leave_timeout.ns));
  leave_timer_.async_wait([this](const asio::error_code& error) {
    if (!error) EndLeave();
  });
  registration_.Leave(SteadyNow());
  Pump();
}

void Registrar::EndLeave() {
  leave_timer_.cancel();
  if (const std::function<void()> left = std::exchange(left_, nullptr)) left();
}

void Registrar::Pump() {
  if (!registration_.under_way()) exchange_.Cancel();
  if (const auto step = registration_.Next(SteadyNow())) Send(*step);
  Report();
  if (left_ && registration_.gone()) EndLeave();
  timer_.cancel();
  if (registration_.deadline() == kNever) return;
  timer_.expires_at(ToSteady(registration_.deadline()));
  timer_.async_wait([this](const asio::error_code& error) {
    if (!error) Pump();
  });
}

void Registrar::Send(const RegistrationStep& step) {
  sent_ = {.id = RandomDnsId()};
  std::vector<uint8_t> message;
  if (const auto* const question = std::get_if<DnsQuestion>(&step)) {
    sent_.question = *question;
    message = WriteDnsQuestion(*question, sent_.id);
  } else {
    message = UpdateMessage(sent_.id, NamesOf(*config_), config_->ttl, std::get<RegistrationUpdate>(step));
  }
  sent_.mac = TsigSign(config_->key, options_.wall_clock(), &message);
  exchange_.Start(
      config_->server, std::move(message), options_.timeout, [this](ConstBytes answer) { return Judge(answer); },
      [this](const std::string& error) { OnDone(error); });
}

// An answer with a wrong signature or without one may be from any sender: keeps its error as a note, and waits for the
// true answer (RFC 8945 §5.4).
DnsExchange::Judgement Registrar::Judge(ConstBytes answer) {
  using Judgement = DnsExchange::Judgement;
  if (!IsAnswerTo(sent_.id, answer)) return Judgement::kIgnored;
  if (IsCut(answer)) return Judgement::kCut;
  const uint64_t now = options_.wall_clock();
  const TsigResult signature = TsigVerify(config_->key, sent_.mac, now, answer);
  sent_.note = SignatureText(signature, now, *config_);
  if (signature.kind == TsigResult::Kind::kUnsigned && signature.error == 0 && RcodeOf(answer) != kDnsNoError) {
    sent_.note = RefusalText(RcodeOf(answer), *config_);
  }
  if (signature.kind != TsigResult::Kind::kSound) return Judgement::kIgnored;
  sent_.rcode = RcodeOf(answer);
  if (sent_.question.name.empty()) return Judgement::kTaken;
  sent_.response = ReadDnsResponse(answer, sent_.id, sent_.question);
  if (sent_.response.kind == DnsResponse::Kind::kForeign) sent_.note = "the answer does not match the query";
  return Judgement::kTaken;
}

void Registrar::OnDone(const std::string& error) {
  const MonoTime now = SteadyNow();
  const uint8_t rcode = sent_.rcode;
  const UpdateOutcome outcome = OutcomeOf(rcode);
  const auto fail = [&](const std::string& reason) {
    registration_.OnFailure(now, Concat(ToString(config_->server), ": ", reason));
  };
  if (!error.empty() || !sent_.note.empty()) {
    fail(sent_.note.empty() ? error : sent_.note);
  } else if (!sent_.question.name.empty()) {
    if (sent_.response.kind == DnsResponse::Kind::kFailure) {
      fail(RefusalText(rcode, *config_));
    } else if (!sent_.response.authoritative) {
      fail(Concat("it is not an authoritative server of ", DnsNameToText(config_->zone),
                  "; name the zone's primary server"));
    } else {
      registration_.OnRecords(now, sent_.response.finding.records);
    }
  } else if (outcome == UpdateOutcome::kDone) {
    registration_.OnUpdated(now);
  } else {
    fail(outcome == UpdateOutcome::kOvertaken ? "another client changed the records at the same time; trying again"
                                              : RefusalText(rcode, *config_));
  }
  Pump();
}

void Registrar::Report() {
  using State = Registration::State;
  const State state = registration_.state();
  const std::string& error = registration_.error();
  const std::string& problem = echo_.result().problem();
  if (std::exchange(reported_problem_, problem) != problem && !problem.empty()) {
    LogLine(LogLevel::kWarning, "registration: ", problem);
  }
  if (!error.empty() && error != reported_error_) LogLine(LogLevel::kWarning, "registration: ", error);
  // States on the way to a result are not logged.
  if (state == State::kReading || state == State::kUpdating || state == State::kVerifying) return;
  reported_error_ = error;
  if (std::exchange(reported_, state) == state) return;
  if (state == State::kRegistered) {
    const auto append = [](std::string* out, const IpAddress& address) { *out += ToString(address); };
    LogLine(LogLevel::kInfo, "registration: ", DnsNameToText(config_->name), " is ",
            absl::StrJoin(registration_.registered(), ", ", append), " at ", ToString(config_->server));
  } else if (state == State::kRemoved) {
    LogLine(LogLevel::kInfo, "registration: no record of ", DnsNameToText(config_->name), " is left at ",
            ToString(config_->server));
  }
}

ordered_json Registrar::Show() const {
  if (!config_) return nullptr;
  const MonoTime now = SteadyNow();
  const MonoTime next = registration_.deadline();
  ordered_json shown = {
      {"state", NameOf(registration_.state())},
      {"server", ToString(config_->server)},
      {"zone", DnsNameToText(config_->zone)},
      {"name", DnsNameToText(config_->name)},
      {"shared", config_->shared.empty() ? ordered_json(nullptr) : ordered_json(DnsNameToText(config_->shared))},
      {"key", DnsNameToText(config_->key.name)},
      {"addresses", Texts(registration_.addresses())},
      {"registered", Texts(registration_.registered())},
      {"error", OrNull(registration_.error())},
      {"retries", registration_.retries()},
      {"repairs", registration_.repairs()},
      {"last_success_seconds_ago", nullptr},
      {"next_attempt_in_seconds", nullptr}};
  if (const auto succeeded = registration_.succeeded()) {
    shown["last_success_seconds_ago"] = ToSeconds(now - *succeeded);
  }
  if (next != kNever) shown["next_attempt_in_seconds"] = ToSeconds(std::max(next - now, Duration{}));
  ordered_json echoes = ordered_json::array();
  for (const PublicAddresses::Echo& echo : echo_.result().echoes()) {
    echoes.push_back({{"server", ToString(echo.server)},
                      {"seen", echo.seen ? ordered_json(ToString(*echo.seen)) : ordered_json(nullptr)}});
  }
  shown["echo"] = {{"servers", echoes}, {"problem", OrNull(echo_.result().problem())}};
  return shown;
}

}  // namespace qure
