#include "cli/run/run_log.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/ringbuffer_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include "core/error.hpp"

namespace lossmap {
namespace {

constexpr std::size_t kMostEarlyMessages = 1000;

}  // namespace

struct RunLog::Impl {
    std::shared_ptr<spdlog::sinks::stderr_color_sink_mt> terminal =
        std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
    std::shared_ptr<spdlog::sinks::ringbuffer_sink_mt> early =
        std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(kMostEarlyMessages);
    std::shared_ptr<spdlog::sinks::basic_file_sink_mt> file;
    spdlog::logger logger{"lossmap", {terminal, early}};
};

RunLog::RunLog(const std::string& level) : impl_(std::make_unique<Impl>()) {
    impl_->terminal->set_level(spdlog::level::from_str(level));
    impl_->terminal->set_pattern("lossmap: %^%v%$");
    impl_->logger.set_level(spdlog::level::debug);
}

RunLog::~RunLog() = default;

void RunLog::show(const std::string& level) {
    impl_->terminal->set_level(spdlog::level::from_str(level));
    for (const auto& message : impl_->early->last_raw()) {
        if (impl_->terminal->should_log(message.level)) impl_->terminal->log(message);
    }
}

void RunLog::open_file(const std::filesystem::path& file) {
    try {
        impl_->file = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file.string());
    } catch (const spdlog::spdlog_ex& error) {
        throw Error("cannot write the log '{}': {}", file.string(), error.what());
    }
    impl_->file->set_pattern("%Y-%m-%d %H:%M:%S.%e %l %v");
    for (const auto& message : impl_->early->last_raw())
        impl_->file->log(message);
    impl_->file->flush();
    impl_->logger.sinks() = {impl_->terminal, impl_->file};
    impl_->logger.flush_on(spdlog::level::debug);
}

void RunLog::debug(const std::string& message) { impl_->logger.debug("{}", message); }
void RunLog::info(const std::string& message) { impl_->logger.info("{}", message); }
void RunLog::warning(const std::string& message) { impl_->logger.warn("{}", message); }

void RunLog::record_error(const std::string& message) {
    if (!impl_->file) return;
    impl_->file->log(spdlog::details::log_msg("lossmap", spdlog::level::err, message));
    impl_->file->flush();
}

}  // namespace lossmap
