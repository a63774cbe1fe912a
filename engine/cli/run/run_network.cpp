#include "cli/run/run_network.hpp"

#include "cli/run/direction_source.hpp"
#include "cli/run/network_request.hpp"
#include "core/error.hpp"

namespace lossmap {

std::unique_ptr<RunNetwork> take_network(PreparedRun& run, int threads) {
    if (!run.executable)
        throw InputError("{}: experiment {} evaluates no network", run.config.file.string(),
                         name_of(run.config.experiment));
    run.executable.reset();
    auto network = std::make_unique<RunNetwork>();
    network->model = load_model(run.config.models.front(), run.config.rules);
    if (run.config.experiment == Experiment::repeat)
        run.axes = build_directions(run.config, network->model, *run.backend, threads).axes;
    network->request = make_request(network->model, run, threads);
    return network;
}

}  // namespace lossmap
