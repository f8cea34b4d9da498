/* A delegate for tests. Its options say how it behaves:
 *
 *   take=none|first|wrong  nodes that it takes: none; the model's first QUANTIZE (uint8 to int8, which is x - 128); the
 *                          same, computed wrong
 *   device_type=...        the same, by a name that is taken where all files must be signed
 *   prepare=fails          it rejects the graph
 *   kernel=fails           its kernel cannot be prepared, after it has taken the node
 *   invoke=fails           its kernel cannot compute
 *   device=PATH            it does not start unless it may open this for reading and writing
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tflite_abi.h"

enum { QUANTIZE = 114, UINT8 = 3, INT8 = 9 };

typedef struct { bool take, wrong, rejects, kernel_fails, invoke_fails; } Options;

static const Options* options_of(Delegate* delegate) { return delegate->data; }

static Options in_use; /* kernels are not handed the delegate; tests make one at a time */

static Status prepare_kernel(Context* context, Node* node) {
  (void)node;
  if (in_use.kernel_fails) {
    context->ReportError(context, "test delegate: the kernel does not fit the chip");
    return ERROR;
  }
  return OK;
}

static Status invoke_kernel(Context* context, Node* node) {
  if (in_use.invoke_fails) {
    context->ReportError(context, "test delegate: the chip does not answer");
    return ERROR;
  }
  const Tensor* in = &context->tensors[node->inputs->data[0]];
  Tensor* out = &context->tensors[node->outputs->data[0]];
  const uint8_t* source = in->data;
  int8_t* target = out->data;
  for (size_t i = 0; i < out->bytes; i++) target[i] = (int8_t)(source[i] - 128 + (in_use.wrong ? 40 : 0));
  return OK;
}

static Status prepare(Context* context, Delegate* delegate) {
  const Options* options = options_of(delegate);
  in_use = *options;
  if (options->rejects) {
    context->ReportError(context, "test delegate: the model is for another chip");
    return ERROR;
  }
  if (!options->take) return OK;
  IntArray* plan;
  if (context->GetExecutionPlan(context, &plan) != OK) return ERROR;
  for (int i = 0; i < plan->size; i++) {
    Node* node;
    Registration* registration;
    int number = plan->data[i];
    if (context->GetNodeAndRegistration(context, number, &node, &registration) != OK) return ERROR;
    if (registration->builtin_code != QUANTIZE || context->tensors[node->inputs->data[0]].type != UINT8 ||
        context->tensors[node->outputs->data[0]].type != INT8)
      continue;
    IntArray* nodes = malloc(sizeof(IntArray) + sizeof(int));
    nodes->size = 1;
    nodes->data[0] = number;
    Registration kernel = {.prepare = prepare_kernel, .invoke = invoke_kernel, .custom_name = "TestDelegate",
                           .version = 1};
    Status status = context->ReplaceNodeSubsetsWithDelegateKernels(context, kernel, nodes, delegate);
    free(nodes);
    return status;
  }
  return OK;
}

Delegate* tflite_plugin_create_delegate(char** keys, char** values, size_t count, void (*report)(const char*)) {
  Options* options = calloc(1, sizeof(Options));
  for (size_t i = 0; i < count; i++) {
    const char *key = keys[i], *value = values[i];
    if (!strcmp(key, "take") || !strcmp(key, "device_type")) {
      options->take = strcmp(value, "none") != 0;
      options->wrong = !strcmp(value, "wrong");
    } else if (!strcmp(key, "prepare")) {
      options->rejects = true;
    } else if (!strcmp(key, "kernel")) {
      options->kernel_fails = true;
    } else if (!strcmp(key, "invoke")) {
      options->invoke_fails = true;
    } else if (!strcmp(key, "device")) {
      int fd = open(value, O_RDWR);
      if (fd < 0) {
        char words[256];
        snprintf(words, sizeof words, "cannot open %s: %s", value, strerror(errno));
        report(words);
        free(options);
        return NULL;
      }
      close(fd);
    } else {
      report("unknown option");
      free(options);
      return NULL;
    }
  }
  Delegate* delegate = calloc(1, sizeof(Delegate));
  delegate->data = options;
  delegate->Prepare = prepare;
  return delegate;
}

void tflite_plugin_destroy_delegate(Delegate* delegate) {
  if (delegate == NULL) return; /* LiteRT destroys also what could not be made */
  free(delegate->data);
  free(delegate);
}
