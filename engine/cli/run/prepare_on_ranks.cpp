#include "cli/run/prepare_on_ranks.hpp"

#include <utility>

#include "cli/run/backends.hpp"
#include "core/error.hpp"

namespace lossmap {
PreparedRun prepare_on_rank(Config config, const RunDirectory& directory, bool fresh, int threads, RunRanks& ranks,
                            const InterruptGuard& interrupt, RunLog& log, const std::string& root_plan) {
    config.device = device_of_rank(config.device, ranks.local_rank(), visible_gpus());
    PreparedRun run = prepare_run(config, threads, log, &interrupt.flag(),
                                  ranks.is_root() ? earlier_plan(directory, fresh, config.grow_from) : root_plan);
    if (!run.executable)
        throw InputError("{}: experiment {} evaluates no network: there is nothing for ranks to share",
                         config.file.string(), name_of(config.experiment));
    if (ranks.is_root()) directory.require_usable(run.identity, fresh);
    return run;
}

PreparedRun prepare_others(std::optional<PreparedRun> root, const Config& config, const RunDirectory& directory,
                           int threads, RunRanks& ranks, const InterruptGuard& interrupt, RunLog& log) {
    RankAgreement& agreement = ranks.agreement();
    const std::string plan = agreement.from_root(root ? root->executable->plan_json() : "");
    const std::string identity = agreement.from_root(root ? root->identity.json() : "");
    const std::string own_share = config.shard ? config.shard->name() : "";
    const std::string share = agreement.from_root(own_share);
    // The journal of an earlier run is one process's at a time.
    const bool in_turn = !agreement.from_root(config.grow_from ? "in turn" : "").empty();
    std::optional<PreparedRun> run = std::move(root);
    for (int turn = 1; turn < (in_turn ? ranks.size() : 2); ++turn) {
        agreement.together([&] {
            if (ranks.is_root() || (in_turn && agreement.rank() != turn)) return;
            run = prepare_on_rank(config, directory, false, threads, ranks, interrupt, log, plan);
            if (run->identity.json() != identity)
                throw InputError("sees another run than rank 0 does (it differs in: {})",
                                 run->identity.differing_parts(identity));
            if (own_share != share)
                throw InputError("has another --shard than rank 0: all ranks compute one share together");
        });
    }
    return std::move(*run);
}

}  // namespace lossmap
