// Emscripten's embind makes functions out of text, which needs 'unsafe-eval'. These do the same without; they take
// the place of embind's own in the codecs (tools/viewer/pages.py).
function createNamedFunction(name, body) {
  return Object.defineProperty(function () { return body.apply(this, arguments); }, "name",
    { value: makeLegalFunctionName(name) });
}

function craftInvokerFunction(humanName, argTypes, classType, cppInvokerFunc, cppTargetFunc) {
  if (argTypes.length < 2)
    throwBindingError("argTypes array size mismatch! Must at least get return value and 'this' types!");
  var isMethod = argTypes[1] !== null && classType !== null, expected = argTypes.length - 2;
  var returns = argTypes[0].name !== "void", needsStack = false;
  for (var i = 1; i < argTypes.length; i++)
    needsStack = needsStack || (argTypes[i] !== null && argTypes[i].destructorFunction === undefined);
  return function () {
    if (arguments.length !== expected)
      throwBindingError("function " + humanName + " called with " + arguments.length + " arguments, expected " +
        expected + " args!");
    var destructors = needsStack ? [] : null, wired = [];
    wired[1] = isMethod ? argTypes[1].toWireType(destructors, this) : undefined;
    for (var i = 2; i < argTypes.length; i++)
      wired[i] = argTypes[i].toWireType(destructors, arguments[i - 2]);
    var result = cppInvokerFunc.apply(null, [cppTargetFunc].concat(wired.slice(isMethod ? 1 : 2)));
    if (needsStack)
      runDestructors(destructors);
    else
      for (var i = isMethod ? 1 : 2; i < argTypes.length; i++)
        if (argTypes[i].destructorFunction !== null)
          argTypes[i].destructorFunction(wired[i]);
    return returns ? argTypes[0].fromWireType(result) : undefined;
  };
}

function craftEmvalAllocator(argCount) {
  return function (constructor, argTypes, args) {
    var given = [];
    for (var i = 0; i < argCount; i++) {
      var type = requireRegisteredType(HEAPU32[argTypes >> 2], "parameter " + i);
      given.push(type.readValueFromPointer(args));
      args += type.argPackAdvance;
      argTypes += 4;
    }
    return Emval.toHandle(Reflect.construct(constructor, given));
  };
}

function __emval_get_method_caller(argCount, argTypes, kind) {
  var types = emval_lookupTypes(argCount, argTypes), retType = types.shift();
  return emval_addMethodCaller(function (obj, func, destructorsRef, args) {
    var given = [];
    for (var type of types) {
      given.push(type.readValueFromPointer(args));
      args += type.argPackAdvance;
    }
    var result = kind === 1 ? Reflect.construct(func, given) : func.apply(obj, given);
    return retType.isVoid ? undefined : emval_returnValue(retType, destructorsRef, result);
  });
}
