#include "control/qurectl/command_table.h"

#include <algorithm>

namespace qure {
namespace {

using Kind = CommandArgument::Kind;

bool IsWord(std::string_view token) {
  return std::ranges::all_of(token, [](char c) { return c >= 'a' && c <= 'z'; });
}

}  // namespace

// Two spaces and the usage of a command, then what it does: in the same line, or in the next if the usage is long.
const char kUsage[] = R"(usage: qurectl [--socket PATH] [--json] COMMAND

  status             this node: role, term, master, deputy, lease, service addresses
  nodes              the nodes of the cluster: role, state, boot count, era
  term               which node leads, and under which term
  history [--limit N] [--plot] [--svg FILE]
                     what has happened; --plot, --svg: nodes online over time, by era
  handover [NODE]    on the master: hand over to NODE (a name, or the beginning of an id), or to the best node
  maintenance on|off on: this node hands over and does not lead until off
  services           the services: their health here, and each node's weight and share
  flows [--top [N]]  flows in this node's tables by owner; --top: the N (10) remote addresses with the most flows
  explain SRC:PORT DST:PORT [tcp|udp]
                     what would happen to such a packet from the gateway, step by step
  dns zones          the zones that are answered
  dns lookup NAME [TYPE]
                     what this node answers to such a query (type A)
  dns server         what was answered over TCP and beside the packet path
  dns cache          lookups in the cache, by outcome
  dns upstreams      the servers that are asked, and how they do
  dns aliases        where records of type ALIAS lead
  dns mdns           what is published by Multicast DNS
  dns registration   what is registered at the main DNS server, and what has failed
  dns reload         the same as reload: zone files are read again too
  drain [NODE] [--deadline SECONDS|none]
                     give NODE (this node) no new flows; it keeps those that it has until they end, or until the
                     deadline: then they are broken
  undrain [NODE]     give it new flows again
  weight NODE SERVICE W|default
                     give NODE a share of SERVICE by weight W, 0 to 255; default: as configured
  forget NODE        show NODE, which is down or has left, no more; on all nodes
  init [--name NAME] [--address ADDRESS] [--gateway ADDRESS]
                     begin a cluster on this machine, whose qured has no file: prints the recovery code, once; asks for
                     what is not given
  candidates         the nodes without a key that ask to be taken in, as this node hears them
  admit [CODE] [--all] [--for TIME]
                     take a node in: its code or fingerprint, as it shows it itself; also before it is heard. --all,
                     without a code: every node that asks, for 10m unless you say otherwise; --for 0 ends that
  invite [--uses N] [--for TIME]
                     print a token, once: a node that carries it (qured --join) is taken in without a command; for one
                     node, and for 24h, unless you say otherwise
  invite list        the tokens that are open, and who was taken in by them
  invite close ID    take in nobody any more by this token
  cluster            who belongs to the cluster, by its signed records: the fingerprint of each
  clusters           the clusters of this LAN, as they announce themselves: names, fingerprints, nodes
  cluster found      begin these records, with the nodes that are there; prints the recovery code, once
  cluster enrol      admit the nodes that are there and do not belong to it yet
  revoke NODE        on the master: NODE belongs to the cluster no more, and gets no key any more; asks for the recovery
                     code, at the terminal or as a line of standard input
  leave [--last]     this node hands over, leaves its cluster, and begins anew without a key; --last: also if it is the
                     only one that is there, with which the cluster ends
  key rotate         a new key for the cluster, which makes it itself where it has records: all that are there come for
                     it, and those that are away when they return
  key list           the ids of the cluster's keys; no key is ever shown
  key new            print a fresh key, for the configuration or a file; needs no running qured
  key add ID KEY     accept another key: 64 hexadecimal digits, or a file that contains them
  key use ID         seal with it, once all nodes have it
  key remove ID      accept it no more, once all nodes use another
  ports              the LAN port and the host port, with their traffic
  counters [--all]   what happened to the frames; --all: also reasons that never occurred
  config             the configuration that all nodes have: its version, who runs it, what waits to be confirmed
  config text [N]    its text, as the operator wrote it; N: that of number N of the history
  config history     the versions before, numbered backwards from 0, what is in effect; who made them, and when
  config diff [N|FILE]
                     what differs between what is in effect and FILE, or number N of the history and what is in effect;
                     without either: how the changes that were lost differ from it, or else what the last one changed
  config adopt [--confirm TIME] [--no-canary] [--dry-run]
                     on the master: what its file says of the cluster becomes the first one
  config apply FILE [--confirm TIME] [--no-canary] [--dry-run]
                     what FILE says of the cluster becomes the next one: all nodes check it, one tries it, then all run
                     it; rolled back unless it is confirmed within TIME (10m; 90s, 1h; 0: it needs none)
  config edit [--confirm TIME] [--no-canary] [--dry-run]
                     the same with the text that is in effect, once you have changed it in your editor
  config rollback [N] [--confirm TIME] [--no-canary] [--dry-run]
                     the same with the text of number N (1) of the history
  config confirm     keep the change that waits for it
  config abort       give up the change that is being prepared, or roll back the one that waits to be confirmed
  config acknowledge changes that were lost are shown no more
  config show        the configuration in force on this node, defaults included
  config check FILE  whether FILE is valid; needs no running qured
  confirm            keep what a qured started with --try has changed on this machine
  reload             make qured read its configuration again
  help               this text

  --socket PATH      the control socket of qured (default: $QURE_SOCKET or /run/qure/qured.sock)
  --json             the answer as JSON

Exit status: 0 fine, 1 refused or failed, 2 wrong usage or invalid configuration, 3 qured is not reachable.
Of config diff: 0 nothing differs, 1 something differs, 2 refused, failed or wrong usage, 3 qured is not reachable.
Of status, for monitoring: 0 the cluster serves, 1 it is degraded, 2 it does not serve, 3 qured is not reachable.
)";

std::span<const OperatorCommand> OperatorCommands() {
  using enum RequestKind;
  static const std::vector<OperatorCommand> kCommands = {
      {"status", kStatus},
      {"nodes", kNodes},
      {"term", kTerm},
      {"history [--limit N] [--plot] [--svg FILE]", kHistory},
      {"handover [NODE]", kHandover, "", {{"node"}}},
      {"maintenance on|off", kMaintenance, "", {{"on", Kind::kSwitch}}},
      {"services", kServices},
      {"flows [--top [N]]", kFlows},
      {"explain SRC:PORT DST:PORT [tcp|udp]", kExplain, "", {{"from"}, {"to"}, {"protocol", Kind::kText, "tcp"}}},
      {"dns zones", kDns, R"("what": "zones")"},
      {"dns lookup NAME [TYPE]", kDns, R"("what": "lookup")", {{"name"}, {"type", Kind::kText, "A"}}},
      {"dns server", kDns, R"("what": "server")"},
      {"dns cache", kDns, R"("what": "cache")"},
      {"dns upstreams", kDns, R"("what": "upstreams")"},
      {"dns aliases", kDns, R"("what": "aliases")"},
      {"dns mdns", kDns, R"("what": "mdns")"},
      {"dns registration", kDns, R"("what": "registration")"},
      {"dns reload", kReload},
      {"drain [NODE] [--deadline SECONDS|none]", kDrain, R"("on": true)", {{"node"}}},
      {"undrain [NODE]", kDrain, R"("on": false)", {{"node"}}},
      {"weight NODE SERVICE W|default", kWeight, "", {{"node"}, {"service"}, {"weight", Kind::kWeight}}},
      {"forget NODE", kForget, "", {{"node"}}},
      {"init [--name NAME] [--address ADDRESS] [--gateway ADDRESS]", LocalAction::kInit},
      {"candidates", kCandidates},
      {"admit [CODE] [--all] [--for TIME]", kAdmit, "", {{"code"}}},
      {"invite close ID", kInvite, R"("action": "close")", {{"token"}}},
      {"invite list", kInvite, R"("action": "list")"},
      {"invite [--uses N] [--for TIME]", kInvite, R"("action": "open")"},
      {"cluster found", kCluster, R"("action": "found")"},
      {"cluster enrol", kCluster, R"("action": "enrol")"},
      {"cluster", kCluster, R"("action": "show")"},
      {"clusters", kClusters},
      {"revoke NODE", kRevoke, "", {{"node"}}},
      {"leave [--last]", kLeave},
      {"key rotate", kKey, R"("action": "rotate")"},
      {"key list", kKey, R"("action": "list")"},
      {"key new", LocalAction::kNewKey},
      {"key add ID KEY", kKey, R"("action": "add")", {{"id", Kind::kNumber}, {"key", Kind::kKey}}},
      {"key use ID", kKey, R"("action": "use")", {{"id", Kind::kNumber}}},
      {"key remove ID", kKey, R"("action": "remove")", {{"id", Kind::kNumber}}},
      {"ports", kPorts},
      {"counters [--all]", kCounters},
      {"config text [N]", kSharedConfig, R"("action": "text")", {{"number", Kind::kNumber}}},
      {"config history", kSharedConfig, R"("action": "history")"},
      {"config diff [N|FILE]", LocalAction::kDiffConfig, "", {{"what"}}},
      {"config adopt [--confirm TIME] [--no-canary] [--dry-run]", kSharedConfig, R"("action": "adopt")"},
      {"config apply FILE [--confirm TIME] [--no-canary] [--dry-run]",
       kSharedConfig,
       R"("action": "apply")",
       {{"text", Kind::kShared}}},
      {"config edit [--confirm TIME] [--no-canary] [--dry-run]", LocalAction::kEditConfig},
      {"config rollback [N] [--confirm TIME] [--no-canary] [--dry-run]",
       kSharedConfig,
       R"("action": "rollback")",
       {{"number", Kind::kNumber, "1"}}},
      {"config confirm", kSharedConfig, R"("action": "confirm")"},
      {"config abort", kSharedConfig, R"("action": "abort")"},
      {"config acknowledge", kSharedConfig, R"("action": "acknowledge")"},
      {"config show", kConfig},
      {"config check FILE", LocalAction::kCheckConfig, "", {{"file"}}},
      {"config", kSharedConfig, R"("action": "show")"},
      {"confirm", kConfirm},
      {"reload", kReload},
      {"help", LocalAction::kHelp},
  };
  return kCommands;
}

CommandSyntax SyntaxOf(std::string_view usage) {
  CommandSyntax syntax;
  while (!usage.empty()) {
    const std::string_view token = usage.substr(0, usage.find(' '));
    usage.remove_prefix(std::min(token.size() + 1, usage.size()));
    if (const size_t option = token.find("--"); option != token.npos) {
      syntax.options.push_back(token.substr(option, token.find(']', option) - option));
    } else if (!syntax.options.empty()) {
      continue;  // the value of an option
    } else if (IsWord(token)) {
      syntax.words.push_back(token);
    } else {
      syntax.arguments.push_back(token);
    }
  }
  return syntax;
}

const OperatorCommand* FindCommand(const std::vector<std::string_view>& line) {
  for (const OperatorCommand& command : OperatorCommands()) {
    const std::vector<std::string_view> words = SyntaxOf(command.usage).words;
    if (line.size() >= words.size() && std::ranges::equal(words, std::span(line).first(words.size()))) return &command;
  }
  return nullptr;
}

}  // namespace qure
