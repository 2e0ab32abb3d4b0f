/* SPDX-License-Identifier: MIT */
/* The command line as two tables, one of commands and one of flags. Everything that knows them is derived from
 * these. */
#ifndef TOOL_FLAGS_H
#define TOOL_FLAGS_H

/* X(NAME, name, usage, help) */
#define TOOL_COMMAND_MAP(X)                                                                                           \
    X(TRAIN, train, "--data DIR --method NAME (--epochs N | --steps N) [FLAG]...", "train a model on images")         \
    X(FINETUNE, finetune, "MODEL --data DIR --save FILE [FLAG]...",                                                   \
      "continue from a pretrained model with other images; a dense one becomes a sparse student that it guides")      \
    X(EVAL, eval, "--data DIR --model FILE [FLAG]...", "evaluate a saved model")                                      \
    X(CLASSIFY, classify, "MODEL IMAGE... [FLAG]...", "classify photographs")                                         \
    X(INFO, info, "FILE", "show the contents of a saved file")                                                        \
    X(IMPORT, import, "IN.safetensors OUT [FLAG]...",                                                                 \
      "make a checkpoint from a vision transformer with timm's names, or from a student that export wrote")           \
    X(EXPORT, export, "MODEL OUT.safetensors [FLAG]...", "write a saved model for Python; timm can load a dense one") \
    X(OPTIONS, options, "[--markdown]", "list the options of --set")                                                  \
    X(COMPARE, compare, "--data DIR --epochs N --out DIR [--methods A,B,...] [FLAG]...",                              \
      "train methods with several seeds and write a report")                                                          \
    X(REPORT, report, "RUN.json... [--svg FILE]", "compare runs that train --json recorded")

#define TOOL_COMMAND_INDEX(NAME, ...) COMMAND_INDEX_##NAME,
#define TOOL_COMMAND_BIT(NAME, ...)   COMMAND_##NAME = 1 << COMMAND_INDEX_##NAME,
enum { TOOL_COMMAND_MAP(TOOL_COMMAND_INDEX) COMMANDS };
/* The commands of a flag are a bitwise or of these. */
typedef enum tool_command { TOOL_COMMAND_MAP(TOOL_COMMAND_BIT) } tool_command;

enum {
    RUN_COMMANDS = COMMAND_TRAIN | COMMAND_FINETUNE,
    TRAINING_COMMANDS = RUN_COMMANDS | COMMAND_COMPARE,
    DATA_COMMANDS = TRAINING_COMMANDS | COMMAND_EVAL,
    EXCHANGE_COMMANDS = COMMAND_IMPORT | COMMAND_EXPORT,
    IMAGE_COMMANDS = DATA_COMMANDS | EXCHANGE_COMMANDS | COMMAND_CLASSIFY,
    EVERY_COMMAND = (1 << COMMANDS) - 1
};

/* X(kind, member, name, value, commands, least, place, help), in the order of the help.
 *   kind     TEXT, NUMBER (at least `least`), SWITCH; OPTION (the library's option of that name), SET (KEY=VALUE, any
 *            option of the library)
 *   member   of tool_arguments; none for options
 *   place    among the flags that decide what comes out of a training; 0: it is none of them. compare keeps these next
 * to a finished run and trains again if they differ, in their places too. */
#define TOOL_FLAG_MAP(X)                                                                                               \
    X(TEXT, data, "data", "DIR", DATA_COMMANDS, 0, 1,                                                                  \
      "folder with the images: IDX (also compressed), CIFAR binary, or a folder of JPEG and PNG for each class")       \
    X(TEXT, dataset, "dataset", "KIND", DATA_COMMANDS, 0, 2,                                                           \
      "idx, cifar10, cifar100 or folder; inferred from the files if not given")                                        \
    X(TEXT, held_out, "held-out", "X", DATA_COMMANDS, 0, 13,                                                           \
      "folder without val: the share of each class that is held out for testing; 0.1 if not given")                    \
    X(TEXT, class_order, "class-order", "ORDER", DATA_COMMANDS | COMMAND_IMPORT, 0, 25,                                \
      "order of classes if no file gives one: bytes, as in torchvision; natural, as in timm; or a file with one name " \
      "per line (import: only such a file)")                                                                           \
    X(SWITCH, skip_damaged, "skip-damaged", NULL, DATA_COMMANDS, 0, 14,                                                \
      "folder: decode every image first, list those that are damaged and continue without them")                       \
    X(NUMBER, readers, "readers", "N", DATA_COMMANDS, 1, 0,                                                            \
      "threads that decode and augment images ahead of training; 2 if not given")                                      \
    X(OPTION, none, "method", "NAME", RUN_COMMANDS, 0, 0, "the routing method; the names are below, at method")        \
    X(TEXT, teacher, "teacher", "FILE", TRAINING_COMMANDS, 0, 22,                                                      \
      "a dense model that guides (tgr, and others with a softmax router); a checkpoint or safetensors (finetune: "     \
      "MODEL itself if it is dense)")                                                                                  \
    X(TEXT, init, "init", "FILE", COMMAND_TRAIN, 0, 23,                                                                \
      "take weights of the same name and shape from FILE (a checkpoint or safetensors); with upcycle=1, experts from " \
      "a dense model's FFNs")                                                                                          \
    X(SWITCH, init_optimizer, "init-optimizer", NULL, COMMAND_TRAIN, 0, 0,                                             \
      "with upcycle=1, also take the optimizer's moments from FILE")                                                   \
    X(NUMBER, epochs, "epochs", "N", TRAINING_COMMANDS, 1, 5,                                                          \
      "train for N epochs in all; the learning rate falls over them (finetune: 10 if not given)")                      \
    X(NUMBER, steps, "steps", "N", RUN_COMMANDS, 1, 0,                                                                 \
      "train for N steps in all; the rate is constant unless total_steps is set")                                      \
    X(NUMBER, limit, "limit", "N", DATA_COMMANDS, 1, 4, "use only the first N images (train: of the training set)")    \
    X(NUMBER, batch, "batch", "B", DATA_COMMANDS, 1, 6, "images in a batch; 128 if not given (finetune: 32)")          \
    X(OPTION, none, "lr", "X", TRAINING_COMMANDS, 0, 0, "highest learning rate")                                       \
    X(OPTION, none, "optimizer", "NAME", TRAINING_COMMANDS, 0, 0, "the optimizer; the names are below, at optimizer")  \
    X(NUMBER, seed, "seed", "S", TRAINING_COMMANDS | COMMAND_IMPORT, 0, 7, "of all random numbers; 1 if not given")    \
    X(NUMBER, threads, "threads", "T", DATA_COMMANDS | COMMAND_CLASSIFY, 1, 0,                                         \
      "threads; one per processor if not given")                                                                       \
    X(TEXT, mean, "mean", "X[,X,X]", IMAGE_COMMANDS, 0, 9, "what is subtracted from pixel/255, by channel")            \
    X(TEXT, deviation, "std", "X[,X,X]", IMAGE_COMMANDS, 0, 10, "what the difference is divided by, by channel")       \
    X(TEXT, crop, "crop", "X", IMAGE_COMMANDS, 0, 11,                                                                  \
      "share of a resized photograph's shorter side that the model sees, 0.01 to 1; 0.9 for DeiT")                     \
    X(TEXT, interpolation, "interpolation", "NAME", IMAGE_COMMANDS, 0, 12,                                             \
      "how photographs are resized: bilinear or bicubic")                                                              \
    X(TEXT, orientation, "orientation", "NAME", IMAGE_COMMANDS, 0, 26,                                                 \
      "exif: turn photographs upright according to EXIF; stored: do not, as in timm and torchvision")                  \
    X(TEXT, timm, "timm", "NAME", IMAGE_COMMANDS, 0, 24,                                                               \
      "the model is timm's NAME, such as vit_small_patch16_224.augreg_in1k: use timm's mean, std, crop and "           \
      "interpolation for it")                                                                                          \
    X(SWITCH, bf16, "bf16", NULL, COMMAND_EXPORT, 0, 0, "write weights as bfloat16, which takes half the space")       \
    X(SET, none, "set", "KEY=VALUE", TRAINING_COMMANDS, 0, 0, "set one of the options below; may be repeated")         \
    X(SET, none, "set", "KEY=VALUE", COMMAND_IMPORT | COMMAND_EVAL | COMMAND_CLASSIFY, 0, 0,                           \
      "for a model in safetensors: what its shapes do not reveal (heads=N); image_size=N resamples positions, "        \
      "classes=N makes a fresh head")                                                                                  \
    X(TEXT, save, "save", "FILE", RUN_COMMANDS, 0, 0, "write the model and the state of training to FILE at the end")  \
    X(NUMBER, save_every, "save-every", "STEPS", RUN_COMMANDS, 1, 0, "and after every STEPS steps")                    \
    X(TEXT, resume, "resume", "FILE", COMMAND_TRAIN, 0, 0, "resume from FILE, bit for bit")                            \
    X(SWITCH, no_shuffle, "no-shuffle", NULL, TRAINING_COMMANDS, 0, 15,                                                \
      "use the images in their stored order in every epoch")                                                           \
    X(TEXT, augment, "augment", "NAME", TRAINING_COMMANDS, 0, 16,                                                      \
      "how training images are changed: none, crop-flip, or deit (docs/augmentation.md); none if not given "           \
      "(finetune: crop-flip for photographs)")                                                                         \
    X(TEXT, randaugment, "randaugment", "POLICY", TRAINING_COMMANDS, 0, 17,                                            \
      "operations drawn for each image, such as m9-mstd0.5-inc1, or none")                                             \
    X(TEXT, jitter, "color-jitter", "X", TRAINING_COMMANDS, 0, 18,                                                     \
      "change brightness, contrast and saturation by factors from 1 - X to 1 + X")                                     \
    X(TEXT, erase, "erase", "P", TRAINING_COMMANDS, 0, 19, "probability that a rectangle is erased")                   \
    X(TEXT, mixup, "mixup", "A", TRAINING_COMMANDS, 0, 20,                                                             \
      "mix images and labels in pairs, with shares of Beta(A, A)")                                                     \
    X(TEXT, cutmix, "cutmix", "A", TRAINING_COMMANDS, 0, 21,                                                           \
      "put a rectangle of one image into another, with areas of Beta(A, A); half of the time if mixup is also on")     \
    X(NUMBER, probe, "probe", "N", TRAINING_COMMANDS, 1, 8,                                                            \
      "measure routing on the first N test images; 1000 if not given")                                                 \
    X(TEXT, json, "json", "FILE", RUN_COMMANDS | COMMAND_EVAL, 0, 0,                                                   \
      "write an object for each epoch to FILE, and a final one (eval: only this one)")                                 \
    X(TEXT, labels, "labels", "A-B", RUN_COMMANDS | COMMAND_EVAL, 0, 3, "use only images with labels A to B")          \
    X(TEXT, methods, "methods", "A,B,...", COMMAND_COMPARE, 0, 0,                                                      \
      "what to compare; dense,vmoe,tgr if not given; NAME+guided adds a teacher, NAME+upcycled starts from one")       \
    X(NUMBER, seeds, "seeds", "N", COMMAND_COMPARE, 1, 0, "train each with N seeds, from --seed on; 3 if not given")   \
    X(TEXT, sweep, "sweep", "experts=N,N,...", COMMAND_COMPARE, 0, 0, "also with N experts")                           \
    X(TEXT, sweep_methods, "sweep-methods", "A,B,...", COMMAND_COMPARE, 0, 0,                                          \
      "the methods to sweep; those of --methods if not given")                                                         \
    X(TEXT, ablation, "ablation", "NAME,...", COMMAND_COMPARE, 0, 0,                                                   \
      "guidance-window, teacher-layer, oracle, distill-only, finetune: those of the TGR-MoE paper")                    \
    X(TEXT, finetune_data, "finetune-data", "DIR", COMMAND_COMPARE, 0, 0,                                              \
      "what --ablation finetune continues with; if not given, one half of the classes after the other")                \
    X(TEXT, out, "out", "DIR", COMMAND_COMPARE, 0, 0,                                                                  \
      "folder for report.html, report.csv and the runs; finished runs there are not trained again")                    \
    X(TEXT, model, "model", "FILE", COMMAND_EVAL, 0, 0, "a file that train saved, or safetensors")                     \
    X(TEXT, oracle, "oracle", "FILE", COMMAND_EVAL, 0, 0,                                                              \
      "route as the routers of this dense teacher do (method tgr)")                                                    \
    X(TEXT, logits, "logits", "FILE", COMMAND_EVAL, 0, 0, "write the logits: float32 [n, classes], little-endian")     \
    X(TEXT, routing, "routing", "FILE", COMMAND_EVAL, 0, 0,                                                            \
      "write the first choices: int32 [MoE layers, n * tokens], little-endian")                                        \
    X(SWITCH, markdown, "markdown", NULL, COMMAND_OPTIONS, 0, 0, "as a page in Markdown")                              \
    X(TEXT, svg, "svg", "FILE", COMMAND_REPORT, 0, 0, "plot routing consistency over epochs")                          \
    X(SWITCH, help, "help", NULL, EVERY_COMMAND, 0, 0, "show this")

#endif
