/* SPDX-License-Identifier: MIT */
/* First the named recipe, then the flags that change one of its numbers. */
#include "run/augmentation.h"

#include <math.h>

#include "augment/notation.h"
#include "augment/presets.h"
#include "failure.h"

static int read_number(augment_recipe *out, const augment_number *number, const char *text) {
    double value = 0;
    const int result = text ? arguments_numbers(number->name, text, 1, &value) : 0;
    if (!text || result != 0) return result;
    if (!(value >= 0 && value <= number->most)) {
        return fail_usage("--%s is %s; it must be 0 to %g", number->name, text, number->most);
    }
    *augment_number_in(out, number) = value;
    return 0;
}

/* Each number has a flag of the same name. */
static const char *number_given(const tool_arguments *arguments, int number) {
    return arguments_text(arguments, augment_numbers[number].name);
}

double augment_label_smoothing(const tool_arguments *arguments) {
    return augment_preset_smoothing(arguments->augment);
}

int augment_options_given(const tool_arguments *arguments) {
    int given = arguments->augment || arguments->randaugment;
    for (int i = 0; i < AUGMENT_NUMBERS; i++) given |= number_given(arguments, i) != NULL;
    return given;
}

int augment_options_read(augment_recipe *out, const tool_arguments *arguments, int small, const double *mean,
                         int64_t channels) {
    int result = 0;
    augment_recipe recipe;
    if (!augment_preset(&recipe, arguments->augment, small)) {
        TRY(fail_usage("--augment is '%s'; it must be none, crop-flip or deit", arguments->augment));
    }
    if (arguments->randaugment && augment_policy_read(&recipe, arguments->randaugment) != 0) {
        TRY(fail_usage("--randaugment: %s", failure_message()));
    }
    for (int i = 0; i < AUGMENT_NUMBERS; i++) {
        TRY(read_number(&recipe, &augment_numbers[i], number_given(arguments, i)));
    }
    for (int i = 0; i < IMAGE_CHANNELS; i++) {
        recipe.fill[i] = (int64_t)fmax(0, fmin(255, rint(255 * mean[i < channels ? i : 0])));
    }
    *out = recipe;
done:
    return result;
}
