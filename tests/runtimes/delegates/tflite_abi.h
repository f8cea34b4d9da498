/* The part of TFLite's C interface that the test delegate needs: layouts as of TFLite 2.x, 64 bits. No wheel ships it.
 *
 * Only the fields up to the last one used are named; structures that TFLite hands over by pointer may be longer.
 */
#ifndef TFLITE_ABI_H
#define TFLITE_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { OK = 0, ERROR = 1, DELEGATE_ERROR = 2 } Status;

typedef struct { int size; int data[]; } IntArray;

typedef struct {
  int type;           /* 3: uint8, 9: int8 */
  void* data;
  IntArray* dims;
  struct { float scale; int32_t zero_point; } params;
  int allocation_type;
  size_t bytes;
  const void* allocation;
  const char* name;
  void* delegate;
  int buffer_handle;
  bool data_is_stale, is_variable;
  struct { int type; void* params; } quantization;
  void* sparsity;
  const IntArray* dims_signature;
} Tensor;

typedef struct { IntArray *inputs, *outputs; } Node;  /* the beginning of it */

struct Registration;
struct Delegate;

typedef struct Context {
  size_t tensors_size;
  Status (*GetExecutionPlan)(struct Context*, IntArray** plan);
  Tensor* tensors;
  void* impl;
  Status (*ResizeTensor)(struct Context*, Tensor*, IntArray*);
  void (*ReportError)(struct Context*, const char* format, ...);
  Status (*AddTensors)(struct Context*, int count, int* first);
  Status (*GetNodeAndRegistration)(struct Context*, int node, Node**, struct Registration**);
  Status (*ReplaceNodeSubsetsWithDelegateKernels)(struct Context*, struct Registration, const IntArray* nodes,
                                                  struct Delegate*);
} Context;

typedef struct Registration {  /* handed over by value: all of it */
  void* (*init)(Context*, const char* buffer, size_t length);
  void (*free)(Context*, void*);
  Status (*prepare)(Context*, Node*);
  Status (*invoke)(Context*, Node*);
  const char* (*profiling_string)(const Context*, const Node*);
  int32_t builtin_code;
  const char* custom_name;
  int version;
  void* external;
  void* async_kernel;
  uint64_t inplace;
} Registration;

typedef struct Delegate {
  void* data;
  Status (*Prepare)(Context*, struct Delegate*);
  void* copy_from;
  void* copy_to;
  void* free_handle;
  int64_t flags;
  void* opaque;
} Delegate;

#endif
