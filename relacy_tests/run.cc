#include "relacy_tests/run.h"

#include <charconv>
#include <map>

#include "relacy_tests/relacy_sync.h"
#include "relacy_tests/scenarios.h"

namespace bellwether::relacy {
namespace {

std::uint64_t Number(const std::string& text, const std::string& what) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) {
    throw RunError{what + " wants a number, not '" + text + "'"};
  }
  return number;
}

void ReadShard(const std::string& shard, SearchOptions* options) {
  const auto slash = shard.find('/');
  const std::string wrong = "shard '" + shard + "': I/N with 1 <= I <= N";
  if (slash == std::string::npos) throw RunError{wrong};
  options->shard = Number(shard.substr(0, slash), wrong + ";");
  options->shards = Number(shard.substr(slash + 1), wrong + ";");
  if (options->shard < 1 || options->shard > options->shards) throw RunError{wrong};
}

// N: the first N; A-B: those behind the first A, up to the B-th.
void ReadRandom(const Run& run, const std::string& value, SearchOptions* options) {
  const auto dash = value.find('-');
  options->strategy = Strategy::kRandom;
  if (dash != std::string::npos) options->first = Number(value.substr(0, dash), "random");
  const std::uint64_t end =
      Number(dash == std::string::npos ? value : value.substr(dash + 1), "random");
  if (end <= options->first) throw RunError{run.scheduler + " explores nothing"};
  options->executions = end - options->first;
  if (options->executions < options->shards) {
    throw RunError{"shard '" + run.shard + "' of " + run.scheduler +
                   ": fewer executions than shards"};
  }
}

SearchOptions ToSearch(const Run& run) {
  SearchOptions options;
  options.seed = run.seed;
  options.replay = run.replay;
  if (!run.shard.empty()) ReadShard(run.shard, &options);
  const auto equals = run.scheduler.find('=');
  const std::string name = run.scheduler.substr(0, equals);
  const std::string value = equals == std::string::npos ? "" : run.scheduler.substr(equals + 1);
  const bool bare = equals == std::string::npos;
  if (name == "dpor" && bare) {
    options.strategy = Strategy::kDpor;
  } else if (name == "dfs" && bare) {
    options.strategy = Strategy::kDfs;
  } else if (name == "context_bound" && !bare) {
    options.strategy = Strategy::kContextBound;
    options.context_bound = static_cast<int>(Number(value, "context_bound"));
  } else if (name == "random" && !bare) {
    ReadRandom(run, value, &options);
  } else {
    throw RunError{"unknown scheduler '" + run.scheduler +
                   "': dpor, dfs, context_bound=K, random=N or random=A-B"};
  }
  if (!run.replay.empty()) options.strategy = Strategy::kReplay;
  return options;
}

OrderMutation ToMutation(const std::string& mutant) {
  using Field = OrderMutation::Field;
  static const std::map<std::string, Field> fields = {
      {"order", Field::kOrder}, {"success", Field::kSuccess}, {"failure", Field::kFailure}};
  static const std::map<std::string, std::memory_order> orders = {
      {"relaxed", std::memory_order::relaxed},
      {"acquire", std::memory_order::acquire},
      {"release", std::memory_order::release},
      {"acq_rel", std::memory_order::acq_rel},
      {"seq_cst", std::memory_order::seq_cst}};
  if (mutant.empty()) return {};
  const auto dot = mutant.find('.');
  const auto equals = mutant.find('=');
  if (dot != std::string::npos && equals != std::string::npos && dot < equals) {
    const auto field = fields.find(mutant.substr(dot + 1, equals - dot - 1));
    const auto order = orders.find(mutant.substr(equals + 1));
    if (field != fields.end() && order != orders.end()) {
      return {mutant.substr(0, dot), field->second, order->second};
    }
  }
  throw RunError{"unknown mutant '" + mutant +
                 "': ENTRY.order|success|failure=ORDER with an entry of sync/orders.h"};
}

}  // namespace

Run RunFromJson(const nlohmann::json& json) {
  Run run;
  try {
    run.scenario = json.at("scenario").get<std::string>();
    run.scheduler = json.at("scheduler").get<std::string>();
    run.stale_depth = json.value("stale_depth", run.stale_depth);
    run.one_step_links = json.value("one_step_links", run.one_step_links);
    run.spurious = json.value("spurious", run.spurious);
    run.assertions = json.value("assertions", run.assertions);
    run.lockstep = json.value("lockstep", run.lockstep);
    run.coverage = json.value("coverage", run.coverage);
    run.executions = json.at("executions").get<std::uint64_t>();
    run.edges = json.value("edges", run.edges);
    run.set = json.value("set", run.set);
  } catch (const nlohmann::json::exception& error) {
    throw RunError{std::string("a run of the file is not as it must be: ") + error.what()};
  }
  return run;
}

nlohmann::ordered_json ToJson(const Run& run) {
  const Run usual;
  nlohmann::ordered_json json = {{"scenario", run.scenario}, {"scheduler", run.scheduler}};
  if (run.stale_depth != usual.stale_depth) json["stale_depth"] = run.stale_depth;
  if (run.one_step_links) json["one_step_links"] = true;
  if (run.spurious) json["spurious"] = true;
  if (!run.assertions) json["assertions"] = false;
  if (!run.lockstep) json["lockstep"] = false;
  if (!run.coverage) json["coverage"] = false;
  if (run.set != usual.set) json["set"] = run.set;
  json["executions"] = run.executions;
  if (run.edges != usual.edges) json["edges"] = run.edges;
  return json;
}

Outcome Execute(const Run& run, const std::function<void(std::uint64_t)>& progress) {
  const Scenario* const scenario = FindScenario(run.scenario);
  if (scenario == nullptr) {
    throw RunError{"unknown scenario '" + run.scenario + "'; --list prints them"};
  }
  if (run.stale_depth < 1 || run.stale_depth > 2) {
    throw RunError{"stale depth " + std::to_string(run.stale_depth) +
                   ": Relacy keeps three values, so 1 or 2"};
  }
  RunOptions options;
  options.search = ToSearch(run);
  options.stale_depth = run.stale_depth;
  options.time_limit = run.time_limit;
  options.always_lanes = run.always_lanes;
  options.progress = progress;
  settings = {};
  settings.link_loop_as_one_step = run.one_step_links;
  settings.spurious = run.spurious;
  settings.assertions = run.assertions;
  settings.lockstep = run.lockstep;
  const auto strategy = options.search.strategy;
  settings.coverage = run.coverage && (strategy == Strategy::kDpor || strategy == Strategy::kDfs);
  settings.mutation = ToMutation(run.mutant);
  const Outcome outcome = Explore(MakeSubject(*scenario), options);
  if (!run.mutant.empty() && !outcome.mutated_order_used) {
    throw RunError{"mutant '" + run.mutant + "': no access of scenario '" + run.scenario +
                   "' has that order; check the entry's name in sync/orders.h"};
  }
  return outcome;
}

std::string Bounds(const Run& run) {
  std::string text = run.scheduler + ", stale depth " + std::to_string(run.stale_depth);
  text += run.one_step_links ? ", link loop as one step" : ", exact loops";
  if (run.spurious) text += ", spurious failures";
  if (!run.assertions) text += ", without the header's assertions";
  if (!run.lockstep) text += ", not in lockstep";
  if (!run.coverage) text += ", edges not counted";
  if (!run.shard.empty()) text += ", shard " + run.shard;
  return text;
}

std::string Arguments(const Run& run) {
  std::string text = "--scenario " + run.scenario + " --scheduler " + run.scheduler;
  if (run.stale_depth != 1) text += " --stale-depth " + std::to_string(run.stale_depth);
  if (run.one_step_links) text += " --one-step-links";
  if (run.spurious) text += " --spurious";
  if (!run.assertions) text += " --no-assertions";
  if (!run.lockstep) text += " --no-lockstep";
  if (!run.coverage) text += " --no-coverage";
  if (!run.mutant.empty()) text += " --mutant " + run.mutant;
  if (run.scheduler.starts_with("random")) text += " --seed " + std::to_string(run.seed);
  if (!run.shard.empty()) text += " --shard " + run.shard;
  return text;
}

}  // namespace bellwether::relacy
