#include "tests/support/reference_net.hpp"

namespace lossmap::test {

ReferenceNet::Values ReferenceNet::batch_statistics(const StateVector& state,
                                                    const std::vector<Values>& samples) const {
    Values statistics(state.states.size(), 0.0);
    StateVector training = state;
    std::vector<std::vector<Values>> results(nodes_.size(), std::vector<Values>(samples.size()));
    results[0] = samples;
    for (std::size_t k = 1; k < nodes_.size(); ++k) {
        const Node& node = nodes_[k];
        if (node.statistics) {
            const auto channels = static_cast<std::size_t>(node.shape[0]);
            const std::vector<Values>& inputs = results[node.reads[0]];
            const std::size_t pixels = inputs[0].size() / channels;
            const auto count = static_cast<double>(pixels * samples.size());
            for (std::size_t c = 0; c < channels; ++c) {
                double sum = 0.0;
                double squares = 0.0;
                for (const Values& x : inputs) {
                    for (std::size_t i = c * pixels; i < (c + 1) * pixels; ++i)
                        sum += x[i];
                }
                for (const Values& x : inputs) {
                    for (std::size_t i = c * pixels; i < (c + 1) * pixels; ++i)
                        squares += (x[i] - sum / count) * (x[i] - sum / count);
                }
                statistics[node.statistics->mean + c] = sum / count;
                statistics[node.statistics->variance + c] = squares / (count - 1.0);
                training.states[node.statistics->mean + c] = static_cast<float>(sum / count);
                training.states[node.statistics->variance + c] = static_cast<float>(squares / count);
            }
        }
        for (std::size_t sample = 0; sample < samples.size(); ++sample) {
            std::vector<const Values*> reads;
            for (const Handle handle : node.reads)
                reads.push_back(&results[handle][sample]);
            results[k][sample] = node.compute(training, reads);
        }
    }
    return statistics;
}

}  // namespace lossmap::test
