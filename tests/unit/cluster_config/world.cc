#include "tests/unit/cluster_config/world.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace qure::clusterconfig::test {
namespace {

constexpr Duration kHello = Milliseconds(100);
constexpr Duration kSettled = Seconds(5);      // after the last harm all nodes are equal …
constexpr Duration kDiffering = Seconds(1);    // … but while a change is on its way
constexpr Duration kTimer = Milliseconds(60);  // a deadline is looked at so late at most

}  // namespace

World::World(const Plan& plan)
    : plan_(plan), random_(plan.seed), view_(ViewOf(static_cast<uint8_t>(plan.nodes))), now_(test::At(1'000)) {
  nodes_.resize(static_cast<size_t>(plan.nodes));
  for (int node = 0; node < count(); ++node) {
    Of(node).number = static_cast<uint8_t>(node + 1);
    Boot(node);
  }
}

void World::AtNode(int node, Duration after, std::function<void()> run) {
  At(after, [this, node, boot = Of(node).boots, run = std::move(run)] {
    if (Of(node).up && Of(node).boots == boot) run();
  });
}

void World::RunUntil(MonoTime until) {
  while (!events_.empty() && events_.top().at <= until) {
    const Event event = events_.top();
    events_.pop();
    now_ = event.at;
    event.run();
    JudgeEqual();
  }
  now_ = until;
}

void World::PassTime(Duration span) {
  RunUntil(now_ + span);
}

template <typename Call>
void World::Do(int node, Call call) {
  Actions out;
  call(Of(node).config.get(), &out);
  for (Action& action : out) Perform(node, std::move(action));
  if (Of(node).up) Judge(node);
}

void World::Perform(int node, Action action) {
  if (auto* const save = std::get_if<Save>(&action)) {
    // What a kill finds written and not answered, and what it finds neither.
    const Duration written = Some(0, 8);
    AtNode(node, written, [this, node, each = *save] { Of(node).disk.Write(each); });
    AtNode(node, written + Some(1, 6), [this, node, ticket = save->ticket] {
      Do(node, [&](Configuration* config, Actions* out) { config->OnSaved(now_, ticket, true, HeadNow(), out); });
    });
  } else if (const auto* validate = std::get_if<Validate>(&action)) {
    std::optional<Finding> finding;
    if (validate->body->find(absl::StrCat("refused by ", node, ".")) != std::string::npos) {
      finding = Finding{.where = "1: key", .reason = "not here"};
    }
    AtNode(node, Some(1, 5), [this, node, version = validate->version, finding] {
      Do(node,
         [&](Configuration* config, Actions* out) { config->OnValidated(now_, version, finding, HeadNow(), out); });
    });
  } else if (const auto* apply = std::get_if<Apply>(&action)) {
    OnApply(node, *apply);
  } else if (const auto* to = std::get_if<SendTo>(&action)) {
    for (int each = 0; each < count(); ++each) {
      if (Node(Of(each).number) == to->to) Send(node, each, to->message);
    }
  } else if (const auto* to_all = std::get_if<SendToAll>(&action)) {
    if (const auto* open = std::get_if<OpenMessage>(&to_all->message)) decided_.insert(open->version);
    if (const auto* confirmed = std::get_if<ConfirmedMessage>(&to_all->message)) {
      const auto record = ReadConfirm(confirmed->confirm, SelfOf(1).recovery);
      decided_.insert(record->As<admission::ConfigConfirm>()->version);
    }
    for (int each = 0; each < count(); ++each) {
      if (each != node) Send(node, each, to_all->message);
    }
  } else if (const auto* answer = std::get_if<Answered>(&action)) {
    result_.taken += answer->refusal ? 0 : 1;
    const bool canary = answer->refusal && answer->refusal->reason.find("gateway") != std::string::npos;
    result_.refused_by_canary += canary ? 1 : 0;
  } else if (const auto* reached = std::get_if<StageReached>(&action)) {
    result_.rolled_back += reached->stage == Stage::kExpired && Of(node).deadlines.contains(reached->version) ? 1 : 0;
    if (reached->stage == Stage::kConfirmed) in_time_.insert(reached->version);
  }
}

void World::Send(int from, int to, const Message& message) {
  if (!Together(from, to) || OneOf(50)) return;
  AtNode(to, Some(1, 20), [this, from, to, message] {
    if (!Together(from, to)) return;
    Do(to, [&](Configuration* config, Actions* out) {
      config->OnMessage(now_, Node(Of(from).number), message, HeadNow(), out);
    });
  });
}

void World::OnApply(int node, const Apply& apply) {
  SimNode& of = Of(node);
  of.running = apply.version;
  of.on_trial = apply.trial;
  of.body = apply.body ? *apply.body : "";
  const Stage durable = of.disk.Of(apply.version);
  const bool in_effect = durable == Stage::kOpen || durable == Stage::kConfirmed;
  if (!apply.trial && apply.body && !in_effect) {
    Violate(absl::StrCat("n", node, " applies ", ToText(apply.version), ", which is not durable"));
  }
  AtNode(node, Some(1, 5), [this, node, version = apply.version] {
    Do(node,
       [&](Configuration* config, Actions* out) { config->OnApplied(now_, version, std::nullopt, HeadNow(), out); });
  });
}

// A HELLO to all others, and the timers.
void World::Beat(int node) {
  Do(node, [&](Configuration* config, Actions* out) {
    config->Tick(now_, HeadNow(), out);
    config->OnHealth(now_, HealthOf(node), HeadNow(), out);
  });
  const uint64_t digest = Of(node).config->digest();
  for (int each = 0; each < count(); ++each) {
    if (each == node || !Together(node, each)) continue;
    AtNode(each, Some(1, 20), [this, node, each, digest] {
      if (!Together(node, each)) return;
      Do(each,
         [&](Configuration* config, Actions* out) { config->OnDigest(now_, Node(Of(node).number), digest, out); });
    });
  }
  AtNode(node, kHello / 2, [this, node] { Beat(node); });
}

Health World::HealthOf(int node) const {
  const SimNode& of = Of(node);
  Health health{.gateway = of.body.find("cuts off all.") == std::string::npos};
  for (int each = 0; each < count(); ++each) health.members += Together(node, each) ? 1 : 0;
  return health;
}

// Within each side the master with the highest term leads; where none is, the first node begins a term.
void World::Elect() {
  ++elections_;
  std::set<int> sides;
  for (const SimNode& node : nodes_) {
    if (node.up) sides.insert(node.side);
  }
  for (const int side : sides) {
    std::vector<int> members;
    uint64_t epoch = 0;
    std::optional<Mastership> best;
    for (int each = 0; each < count(); ++each) {
      if (!Of(each).up || Of(each).side != side) continue;
      members.push_back(each);
      epoch = std::max(epoch, Of(each).epoch_seen);
      const auto& master = Of(each).master;
      if (master && master->node == Node(Of(each).number) && (!best || best->term < master->term)) best = master;
    }
    if (!best) {
      const uint8_t first = Of(members.front()).number;
      best = Mastership{.node = Node(first), .term = TermOf(first, epoch + 1)};
    }
    std::ranges::stable_sort(members, [&](int a, int) { return Node(Of(a).number) == best->node; });
    std::vector<NodeId> ranked;
    ranked.reserve(members.size());
    for (const int each : members) ranked.push_back(Node(Of(each).number));
    for (const int each : members) {
      Of(each).epoch_seen = std::max(epoch, best->term.epoch);
      // The master by itself at once, or it is two masters at once; the others hear of it.
      const bool leads = Node(Of(each).number) == best->node;
      const auto follow = [this, each, best, ranked, election = elections_] {
        if (election != elections_) return;
        Of(each).master = best;
        Do(each, [&](Configuration* config, Actions* out) { config->FollowCluster(now_, best, ranked, out); });
      };
      if (leads) {
        follow();
      } else {
        AtNode(each, Some(1, 50), follow);
      }
    }
  }
}

void World::Boot(int node) {
  SimNode& of = Of(node);
  if (of.up) return;
  of.up = true;
  ++of.boots;
  of.master.reset();
  of.running = {};
  of.on_trial = false;
  of.body.clear();
  for (const auto& [version, deadline] : std::exchange(of.deadlines, {})) of.opened_before.insert(version);
  of.config = std::make_unique<Configuration>(SelfOf(of.number), of.disk.Read());
  disturbed_ = now_;
  Do(node, [&](Configuration* config, Actions* out) { config->FollowView(now_, view_, out); });
  Do(node, [&](Configuration* config, Actions* out) { config->Start(now_, out); });
  AtNode(node, Some(0, 50), [this, node] { Beat(node); });
  At(Some(100, 300), [this] { Elect(); });
}

void World::Kill(int node) {
  if (!Of(node).up) return;
  ++kills_;
  disturbed_ = now_;
  Of(node).up = false;
  At(Some(150, 400), [this] { Elect(); });
}

void World::Cut(const std::vector<int>& side) {
  ++cuts_;
  disturbed_ = now_;
  for (const int node : side) Of(node).side = cuts_;
  At(Some(150, 400), [this] { Elect(); });
}

void World::Heal() {
  disturbed_ = now_;
  for (SimNode& node : nodes_) node.side = 0;
  At(Some(50, 300), [this] { Elect(); });
}

void World::Propose(int node, const Request& request) {
  if (!Of(node).up) return;
  ++result_.proposed;
  Request numbered = request;
  numbered.id = ++next_id_;
  Do(node, [&](Configuration* config, Actions* out) { config->Propose(now_, numbered, "test", HeadNow(), out); });
}

bool World::Confirm(int node, const Version& version) {
  if (!Of(node).up) return false;
  const auto deadline = Of(node).deadlines.find(version);
  const bool late = deadline != Of(node).deadlines.end() && deadline->second <= now_;
  const bool before = Of(node).config->holder().stages().Of(version) == Stage::kConfirmed;
  bool ok = false;
  Do(node, [&](Configuration* config, Actions* out) { ok = !config->Confirm(now_, version, HeadNow(), out); });
  if (ok && late && !before) Violate(absl::StrCat("n", node, " confirms ", ToText(version), " after its deadline"));
  result_.confirmed += ok && !before ? 1 : 0;
  return ok;
}

std::optional<Version> World::InEffect(int node) const {
  return Of(node).config->holder().InEffect();
}

void World::Violate(const std::string& what) {
  result_.violations.push_back(absl::StrCat(absl::StrCat(ToSeconds(now_ - MonoTime{})), " s: ", what));
}

void World::Judge(int node) {
  JudgeOpen(node);
  JudgeRunning(node);
}

void World::JudgeOpen(int node) {
  SimNode& of = Of(node);
  int open = 0;
  for (const auto& [version, stage] : of.config->holder().stages().stages()) {
    if (stage == Stage::kOpen || stage == Stage::kConfirmed) {
      const bool own = version.term.holder == HolderOf(Node(of.number));
      if (!own && !decided_.contains(version)) {
        Violate(absl::StrCat("n", node, " has ", ToText(version), " open, and its master has not decided"));
      }
    }
    if (stage != Stage::kOpen) continue;
    ++open;
    const admission::ConfigEntry& entry = *of.config->holder().ledger().Entry(version);
    of.deadlines.try_emplace(version, now_ + TimeoutOf(entry));
    if (of.opened_before.contains(version)) {
      Violate(absl::StrCat("n", node, " has ", ToText(version), " open again after a restart"));
    }
  }
  if (open > 1 && cuts_ == 0) Violate(absl::StrCat("n", node, " has two changes open, and nothing was cut"));
}

void World::JudgeRunning(int node) {
  const SimNode& of = Of(node);
  if (of.on_trial || of.running == Version{}) return;
  const auto deadline = of.deadlines.find(of.running);
  const Stage stage = of.config->holder().stages().Of(of.running);
  if (stage != Stage::kOpen && stage != Stage::kConfirmed) {
    Violate(absl::StrCat("n", node, " runs ", ToText(of.running), ", which is rolled back"));
  }
  if (stage == Stage::kConfirmed || deadline == of.deadlines.end()) return;
  if (now_ > deadline->second + kTimer) {
    Violate(absl::StrCat("n", node, " runs ", ToText(of.running), " after its deadline"));
  }
}

// While nothing is cut or down, all run the same, but for moments.
void World::JudgeEqual() {
  bool equal = true;
  for (const SimNode& node : nodes_) {
    const SimNode& first = nodes_.front();
    if (!node.up || !first.up || node.side != first.side) return;
    // On trial one node differs, for as long as the trial takes.
    if (node.on_trial) return;
    equal = equal && node.running == first.running;
  }
  if (equal) {
    differs_since_.reset();
    return;
  }
  const MonoTime since = std::max(differs_since_.value_or(now_), disturbed_);
  if (!differs_since_) differs_since_ = now_;
  if (now_ - since > kDiffering && now_ - disturbed_ > kSettled + kDiffering) {
    std::vector<std::string> run;
    for (const SimNode& node : nodes_) run.push_back(ToText(node.running));
    Violate(absl::StrCat("the nodes differ: ", absl::StrJoin(run, ", ")));
    differs_since_.reset();
  }
}

void World::JudgeEnd() {
  for (int node = 0; node < count(); ++node) {
    const SimNode& of = Of(node);
    const StageMap& map = of.config->holder().stages();
    if (map != nodes_.front().config->holder().stages()) Violate(absl::StrCat("n", node, " knows other stages"));
    if (of.running != map.InEffect().value_or(Version{})) {
      Violate(absl::StrCat("n", node, " does not run what is in effect"));
    }
    for (const Version& version : in_time_) {
      if (of.running < version) Violate(absl::StrCat("n", node, " has lost ", ToText(version), ", confirmed in time"));
    }
  }
}

void World::Harm() {
  const int node = static_cast<int>(random_() % nodes_.size());
  switch (random_() % 4) {
    case 0:
      if (cuts_ < plan_.cuts) {
        std::vector<int> side;
        for (int each = 0; each < count(); ++each) {
          if (OneOf(2)) side.push_back(each);
        }
        if (!side.empty() && side.size() < nodes_.size()) Cut(side);
      }
      break;
    case 1:
      Heal();
      break;
    case 2:
      if (kills_ < plan_.kills) Kill(node);
      break;
    default:
      for (int each = 0; each < count(); ++each) Boot(each);
  }
}

// An operator: proposes, or confirms what is open, or has just expired, somewhere.
void World::Operate() {
  const int node = static_cast<int>(random_() % nodes_.size());
  if (!Of(node).up) return;
  if (OneOf(2)) {
    std::string body(1 + random_() % 3'000, static_cast<char>('a' + random_() % 26));
    if (OneOf(6)) body += "cuts off all.";
    if (OneOf(8)) body += absl::StrCat("refused by ", random_() % nodes_.size(), ".");
    Request request{.body = std::make_shared<const std::string>(body), .canary = !OneOf(4)};
    if (!OneOf(4)) request.confirm = Milliseconds(1'000 + static_cast<int64_t>(random_() % 7'000));
    Propose(node, request);
    return;
  }
  const StageMap map = Of(node).config->holder().stages();
  for (auto it = map.stages().rbegin(); it != map.stages().rend(); ++it) {
    if (it->second != Stage::kOpen && it->second != Stage::kExpired) continue;
    Confirm(node, it->first);
    return;
  }
}

Result World::Run() {
  const MonoTime end = now_ + plan_.length;
  const bool harmed = plan_.cuts + plan_.kills > 0;
  while (now_ < end) {
    PassTime(Some(50, 1'500));
    if (harmed && OneOf(4)) {
      Harm();
    } else {
      Operate();
    }
  }
  for (int node = 0; node < count(); ++node) Boot(node);
  Heal();
  PassTime(Seconds(20));
  JudgeEnd();
  return result_;
}

}  // namespace qure::clusterconfig::test
