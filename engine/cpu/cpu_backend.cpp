#include "cpu/cpu_backend.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "cpu/cpu_executable.hpp"
#include "cpu/cpu_info.hpp"
#include "cpu/fma_ceiling.hpp"
#include "cpu/lapack_algebra.hpp"
#include "cpu/plan_record.hpp"
#include "cpu/product_ceiling.hpp"

namespace lossmap {
namespace {

class CpuBackend final : public Backend {
public:
    [[nodiscard]] std::string name() const override { return "cpu"; }

    [[nodiscard]] std::vector<DeviceInfo> devices() const override {
        const std::string description =
            fmt::format("{}, {} cores to use, {}", cpu::cpu_model(), cpu::usable_threads(), cpu::instruction_set());
        std::vector<Precision> precisions{Precision::fp32};
        if (cpu::bf16_available()) precisions.push_back(Precision::bf16);
        return {{"cpu", description, cpu::memory_bytes(), precisions}};
    }

    [[nodiscard]] std::vector<std::string> library_versions() const override {
        return {fmt::format("oneDNN {}", cpu::dnnl_version())};
    }

    [[nodiscard]] std::string why_not(const ExecutableRequest& request) const override {
        try {
            static_cast<void>(cpu::bind_for_cpu(request));
        } catch (const InputError& error) {
            return error.what();
        }
        return "";
    }

    [[nodiscard]] std::unique_ptr<Executable> compile(const ExecutableRequest& request) override {
        return std::make_unique<cpu::CpuExecutable>(request);
    }

    [[nodiscard]] std::unique_ptr<DirectionMaker> direction_maker(const ParameterSpace& space,
                                                                  std::span<const float> origin) const override {
        return make_host_direction_maker(space, origin);
    }

    [[nodiscard]] std::unique_ptr<LinearAlgebra> linear_algebra(int threads) const override {
        return cpu::make_lapack_algebra(threads);
    }

    [[nodiscard]] std::optional<Ceiling> measure_ceiling(Precision precision, int threads, double seconds) override {
        const int used = threads > 0 ? threads : cpu::usable_threads();
        if (precision == Precision::bf16) {
            if (!cpu::bf16_available()) return {};
            return cpu::measure_product_ceiling(static_cast<std::size_t>(used), seconds);
        }
        const cpu::FmaCeiling ceiling = cpu::measure_fma_ceiling(static_cast<std::size_t>(used), seconds);
        if (ceiling.gflops == 0.0) return {};
        return Ceiling{1e9 * ceiling.gflops, 1e9 * ceiling.mean_gflops,
                       fmt::format("fused multiply-adds on registers, {}, {} {}", ceiling.instructions, used,
                                   used == 1 ? "thread" : "threads")};
    }
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend() { return std::make_unique<CpuBackend>(); }

}  // namespace lossmap
