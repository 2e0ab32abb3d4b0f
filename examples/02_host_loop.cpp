// SPDX-License-Identifier: MIT
// The host's loop from C++: handles that free themselves, statuses that become exceptions.
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "made_up_images.h"
#include "tgrmoe/tgrmoe.h"

namespace {

template <auto free_function>
struct Deleter {
    template <typename T>
    void operator()(T *handle) const {
        free_function(handle);
    }
};

using Context = std::unique_ptr<tgr_context, Deleter<tgr_context_free>>;
using Config = std::unique_ptr<tgr_config, Deleter<tgr_config_free>>;
using Model = std::unique_ptr<tgr_model, Deleter<tgr_model_free>>;
using Loss = std::unique_ptr<tgr_loss, Deleter<tgr_loss_free>>;
using Optimizer = std::unique_ptr<tgr_optimizer, Deleter<tgr_optimizer_free>>;

void check(tgr_status status) {
    if (status != TGR_OK) throw std::runtime_error(std::string(tgr_status_name(status)) + ": " + tgr_last_error());
}

// make<Model>(tgr_model_create, context, config): the handle that a `create` function writes to its first argument.
template <typename Handle, typename Create, typename... Arguments>
Handle make(Create create, Arguments... arguments) {
    typename Handle::pointer handle = nullptr;
    check(create(&handle, arguments...));
    return Handle(handle);
}

Model make_model(tgr_context *context) {
    const char *const settings[][2] = {
        {"method", "vmoe"},    {"image_size", "16"}, {"channels", "1"},   {"patch_size", "4"},
        {"classes", "4"},      {"depth", "2"},       {"embed_dim", "32"}, {"heads", "2"},
        {"moe_blocks", "1,2"}, {"lr", "0.003"},      {"experts", "4"},
    };
    const auto config = make<Config>(tgr_config_create, context);
    for (const auto &[key, value] : settings) check(tgr_config_set(config.get(), key, value));
    return make<Model>(tgr_model_create, context, config.get());
}

double train(tgr_model *model, int steps, int batch) {
    const auto loss = make<Loss>(tgr_loss_create, model, nullptr);
    const auto optimizer = make<Optimizer>(tgr_optimizer_create, tgr_model_config(model), tgr_model_parameters(model));

    std::vector<float> images(static_cast<size_t>(batch) * PIXELS);
    std::vector<int32_t> labels(static_cast<size_t>(batch));
    double total = 0;
    for (int step = 0; step < steps; step++) {
        make_up_images(images.data(), labels.data(), batch, static_cast<uint32_t>(step));
        check(tgr_loss_step(loss.get(), optimizer.get(), images.data(), labels.data(), batch, &total));
        if (step % 20 == 0) std::printf("step %2d  loss %.4f\n", step, total);
    }
    return total;
}

}  // namespace

int main() try {
    const auto context = make<Context>(tgr_context_create, nullptr);
    const auto model = make_model(context.get());
    const double loss = train(model.get(), 60, 32);
    std::printf("last loss %.4f\n", loss);
    return loss < 0.3 ? 0 : 1;
} catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
