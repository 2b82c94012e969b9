// @ts-nocheck
// Generated from proto/watch.proto by `npm run proto`. Do not edit.
/*eslint-disable block-scoped-var, id-length, no-control-regex, no-magic-numbers, no-prototype-builtins, no-redeclare, no-shadow, no-var, sort-vars*/
import * as $protobuf from "protobufjs/minimal";

const $Reader = $protobuf.Reader, $Writer = $protobuf.Writer, $util = $protobuf.util;

const $root = $protobuf.roots["rivulet-watch"] || ($protobuf.roots["rivulet-watch"] = {});

export const rivulet = $root.rivulet = (() => {

    const rivulet = {};

    rivulet.watch = (function() {

        const watch = {};

        watch.v1 = (function() {

            const v1 = {};

            v1.WatchRequest = (function() {

                function WatchRequest(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                WatchRequest.prototype.auth = null;
                WatchRequest.prototype.subscribe = null;
                WatchRequest.prototype.unsubscribe = null;
                WatchRequest.prototype.ack = null;
                WatchRequest.prototype.cancel = null;

                let $oneOfFields;

                Object.defineProperty(WatchRequest.prototype, "body", {
                    get: $util.oneOfGetter($oneOfFields = ["auth", "subscribe", "unsubscribe", "ack", "cancel"]),
                    set: $util.oneOfSetter($oneOfFields)
                });

                WatchRequest.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.auth != null && Object.hasOwnProperty.call(message, "auth"))
                        $root.rivulet.watch.v1.Auth.encode(message.auth, writer.uint32(10).fork(), q + 1).ldelim();
                    if (message.subscribe != null && Object.hasOwnProperty.call(message, "subscribe"))
                        $root.rivulet.watch.v1.Subscribe.encode(message.subscribe, writer.uint32(18).fork(), q + 1).ldelim();
                    if (message.unsubscribe != null && Object.hasOwnProperty.call(message, "unsubscribe"))
                        $root.rivulet.watch.v1.Unsubscribe.encode(message.unsubscribe, writer.uint32(26).fork(), q + 1).ldelim();
                    if (message.ack != null && Object.hasOwnProperty.call(message, "ack"))
                        $root.rivulet.watch.v1.Ack.encode(message.ack, writer.uint32(34).fork(), q + 1).ldelim();
                    if (message.cancel != null && Object.hasOwnProperty.call(message, "cancel"))
                        $root.rivulet.watch.v1.Cancel.encode(message.cancel, writer.uint32(42).fork(), q + 1).ldelim();
                    return writer;
                };

                WatchRequest.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.rivulet.watch.v1.WatchRequest();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.auth = $root.rivulet.watch.v1.Auth.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        case 2: {
                                message.subscribe = $root.rivulet.watch.v1.Subscribe.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        case 3: {
                                message.unsubscribe = $root.rivulet.watch.v1.Unsubscribe.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        case 4: {
                                message.ack = $root.rivulet.watch.v1.Ack.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        case 5: {
                                message.cancel = $root.rivulet.watch.v1.Cancel.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return WatchRequest;
            })();

            v1.Auth = (function() {

                function Auth(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                Auth.prototype.token = "";

                Auth.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.token != null && Object.hasOwnProperty.call(message, "token"))
                        writer.uint32(10).string(message.token);
                    return writer;
                };

                Auth.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.rivulet.watch.v1.Auth();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.token = reader.string();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return Auth;
            })();

            v1.Subscribe = (function() {

                function Subscribe(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                Subscribe.prototype.id = "";
                Subscribe.prototype.streamNo = null;
                Subscribe.prototype.channel = null;
                Subscribe.prototype.from = null;
                Subscribe.prototype.window = null;
                Subscribe.prototype.intervalMs = null;
                Subscribe.prototype.session = null;
                Subscribe.prototype.ended = null;
                Subscribe.prototype.connection = null;

                let $oneOfFields;

                // Virtual OneOf for proto3 optional field
                Object.defineProperty(Subscribe.prototype, "_streamNo", {
                    get: $util.oneOfGetter($oneOfFields = ["streamNo"]),
                    set: $util.oneOfSetter($oneOfFields)
                });

                // Virtual OneOf for proto3 optional field
                Object.defineProperty(Subscribe.prototype, "_channel", {
                    get: $util.oneOfGetter($oneOfFields = ["channel"]),
                    set: $util.oneOfSetter($oneOfFields)
                });

                // Virtual OneOf for proto3 optional field
                Object.defineProperty(Subscribe.prototype, "_from", {
                    get: $util.oneOfGetter($oneOfFields = ["from"]),
                    set: $util.oneOfSetter($oneOfFields)
                });

                // Virtual OneOf for proto3 optional field
                Object.defineProperty(Subscribe.prototype, "_window", {
                    get: $util.oneOfGetter($oneOfFields = ["window"]),
                    set: $util.oneOfSetter($oneOfFields)
                });

                // Virtual OneOf for proto3 optional field
                Object.defineProperty(Subscribe.prototype, "_intervalMs", {
                    get: $util.oneOfGetter($oneOfFields = ["intervalMs"]),
                    set: $util.oneOfSetter($oneOfFields)
                });

                // Virtual OneOf for proto3 optional field
                Object.defineProperty(Subscribe.prototype, "_session", {
                    get: $util.oneOfGetter($oneOfFields = ["session"]),
                    set: $util.oneOfSetter($oneOfFields)
                });

                // Virtual OneOf for proto3 optional field
                Object.defineProperty(Subscribe.prototype, "_ended", {
                    get: $util.oneOfGetter($oneOfFields = ["ended"]),
                    set: $util.oneOfSetter($oneOfFields)
                });

                // Virtual OneOf for proto3 optional field
                Object.defineProperty(Subscribe.prototype, "_connection", {
                    get: $util.oneOfGetter($oneOfFields = ["connection"]),
                    set: $util.oneOfSetter($oneOfFields)
                });

                Subscribe.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.id != null && Object.hasOwnProperty.call(message, "id"))
                        writer.uint32(10).string(message.id);
                    if (message.streamNo != null && Object.hasOwnProperty.call(message, "streamNo"))
                        writer.uint32(18).string(message.streamNo);
                    if (message.channel != null && Object.hasOwnProperty.call(message, "channel"))
                        writer.uint32(26).string(message.channel);
                    if (message.from != null && Object.hasOwnProperty.call(message, "from"))
                        writer.uint32(34).string(message.from);
                    if (message.window != null && Object.hasOwnProperty.call(message, "window"))
                        writer.uint32(40).uint32(message.window);
                    if (message.intervalMs != null && Object.hasOwnProperty.call(message, "intervalMs"))
                        writer.uint32(48).uint32(message.intervalMs);
                    if (message.session != null && Object.hasOwnProperty.call(message, "session"))
                        writer.uint32(58).string(message.session);
                    if (message.ended != null && Object.hasOwnProperty.call(message, "ended"))
                        writer.uint32(64).uint32(message.ended);
                    if (message.connection != null && Object.hasOwnProperty.call(message, "connection"))
                        writer.uint32(74).string(message.connection);
                    return writer;
                };

                Subscribe.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.rivulet.watch.v1.Subscribe();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.id = reader.string();
                                break;
                            }
                        case 2: {
                                message.streamNo = reader.string();
                                break;
                            }
                        case 3: {
                                message.channel = reader.string();
                                break;
                            }
                        case 4: {
                                message.from = reader.string();
                                break;
                            }
                        case 5: {
                                message.window = reader.uint32();
                                break;
                            }
                        case 6: {
                                message.intervalMs = reader.uint32();
                                break;
                            }
                        case 7: {
                                message.session = reader.string();
                                break;
                            }
                        case 8: {
                                message.ended = reader.uint32();
                                break;
                            }
                        case 9: {
                                message.connection = reader.string();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return Subscribe;
            })();

            v1.Unsubscribe = (function() {

                function Unsubscribe(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                Unsubscribe.prototype.id = "";

                Unsubscribe.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.id != null && Object.hasOwnProperty.call(message, "id"))
                        writer.uint32(10).string(message.id);
                    return writer;
                };

                Unsubscribe.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.rivulet.watch.v1.Unsubscribe();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.id = reader.string();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return Unsubscribe;
            })();

            v1.Ack = (function() {

                function Ack(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                Ack.prototype.id = "";
                Ack.prototype.cursor = "";

                Ack.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.id != null && Object.hasOwnProperty.call(message, "id"))
                        writer.uint32(10).string(message.id);
                    if (message.cursor != null && Object.hasOwnProperty.call(message, "cursor"))
                        writer.uint32(18).string(message.cursor);
                    return writer;
                };

                Ack.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.rivulet.watch.v1.Ack();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.id = reader.string();
                                break;
                            }
                        case 2: {
                                message.cursor = reader.string();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return Ack;
            })();

            v1.Cancel = (function() {

                function Cancel(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                Cancel.prototype.streamNo = "";
                Cancel.prototype.reason = null;

                let $oneOfFields;

                // Virtual OneOf for proto3 optional field
                Object.defineProperty(Cancel.prototype, "_reason", {
                    get: $util.oneOfGetter($oneOfFields = ["reason"]),
                    set: $util.oneOfSetter($oneOfFields)
                });

                Cancel.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.streamNo != null && Object.hasOwnProperty.call(message, "streamNo"))
                        writer.uint32(10).string(message.streamNo);
                    if (message.reason != null && Object.hasOwnProperty.call(message, "reason"))
                        writer.uint32(18).string(message.reason);
                    return writer;
                };

                Cancel.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.rivulet.watch.v1.Cancel();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.streamNo = reader.string();
                                break;
                            }
                        case 2: {
                                message.reason = reader.string();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return Cancel;
            })();

            v1.WatchReply = (function() {

                function WatchReply(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                WatchReply.prototype.id = null;
                WatchReply.prototype.streamNo = "";
                WatchReply.prototype.ready = null;
                WatchReply.prototype.stream = null;
                WatchReply.prototype.fragment = null;
                WatchReply.prototype.rewind = null;
                WatchReply.prototype.lost = null;
                WatchReply.prototype.resumed = null;
                WatchReply.prototype.final = null;
                WatchReply.prototype.cancelled = null;
                WatchReply.prototype.problem = null;
                WatchReply.prototype.confirmed = null;
                WatchReply.prototype.probe = null;
                WatchReply.prototype.reset = null;
                WatchReply.prototype.channelCursor = null;

                let $oneOfFields;

                // Virtual OneOf for proto3 optional field
                Object.defineProperty(WatchReply.prototype, "_id", {
                    get: $util.oneOfGetter($oneOfFields = ["id"]),
                    set: $util.oneOfSetter($oneOfFields)
                });

                Object.defineProperty(WatchReply.prototype, "body", {
                    get: $util.oneOfGetter($oneOfFields = ["ready", "stream", "fragment", "rewind", "lost", "resumed", "final", "cancelled", "problem", "confirmed", "probe", "reset"]),
                    set: $util.oneOfSetter($oneOfFields)
                });

                // Virtual OneOf for proto3 optional field
                Object.defineProperty(WatchReply.prototype, "_channelCursor", {
                    get: $util.oneOfGetter($oneOfFields = ["channelCursor"]),
                    set: $util.oneOfSetter($oneOfFields)
                });

                WatchReply.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.id != null && Object.hasOwnProperty.call(message, "id"))
                        writer.uint32(10).string(message.id);
                    if (message.streamNo != null && Object.hasOwnProperty.call(message, "streamNo"))
                        writer.uint32(18).string(message.streamNo);
                    if (message.ready != null && Object.hasOwnProperty.call(message, "ready"))
                        $root.rivulet.watch.v1.Ready.encode(message.ready, writer.uint32(26).fork(), q + 1).ldelim();
                    if (message.stream != null && Object.hasOwnProperty.call(message, "stream"))
                        $root.rivulet.watch.v1.Stream.encode(message.stream, writer.uint32(34).fork(), q + 1).ldelim();
                    if (message.fragment != null && Object.hasOwnProperty.call(message, "fragment"))
                        $root.rivulet.watch.v1.Fragment.encode(message.fragment, writer.uint32(42).fork(), q + 1).ldelim();
                    if (message.rewind != null && Object.hasOwnProperty.call(message, "rewind"))
                        $root.rivulet.watch.v1.Rewind.encode(message.rewind, writer.uint32(50).fork(), q + 1).ldelim();
                    if (message.lost != null && Object.hasOwnProperty.call(message, "lost"))
                        $root.rivulet.watch.v1.Lost.encode(message.lost, writer.uint32(58).fork(), q + 1).ldelim();
                    if (message.resumed != null && Object.hasOwnProperty.call(message, "resumed"))
                        $root.rivulet.watch.v1.Resumed.encode(message.resumed, writer.uint32(66).fork(), q + 1).ldelim();
                    if (message.final != null && Object.hasOwnProperty.call(message, "final"))
                        $root.rivulet.watch.v1.Final.encode(message.final, writer.uint32(74).fork(), q + 1).ldelim();
                    if (message.cancelled != null && Object.hasOwnProperty.call(message, "cancelled"))
                        $root.rivulet.watch.v1.Cancelled.encode(message.cancelled, writer.uint32(82).fork(), q + 1).ldelim();
                    if (message.problem != null && Object.hasOwnProperty.call(message, "problem"))
                        $root.rivulet.watch.v1.Problem.encode(message.problem, writer.uint32(90).fork(), q + 1).ldelim();
                    if (message.confirmed != null && Object.hasOwnProperty.call(message, "confirmed"))
                        $root.rivulet.watch.v1.Confirmed.encode(message.confirmed, writer.uint32(98).fork(), q + 1).ldelim();
                    if (message.probe != null && Object.hasOwnProperty.call(message, "probe"))
                        $root.rivulet.watch.v1.Probe.encode(message.probe, writer.uint32(106).fork(), q + 1).ldelim();
                    if (message.reset != null && Object.hasOwnProperty.call(message, "reset"))
                        $root.rivulet.watch.v1.Reset.encode(message.reset, writer.uint32(114).fork(), q + 1).ldelim();
                    if (message.channelCursor != null && Object.hasOwnProperty.call(message, "channelCursor"))
                        writer.uint32(122).string(message.channelCursor);
                    return writer;
                };

                WatchReply.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.rivulet.watch.v1.WatchReply();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.id = reader.string();
                                break;
                            }
                        case 2: {
                                message.streamNo = reader.string();
                                break;
                            }
                        case 3: {
                                message.ready = $root.rivulet.watch.v1.Ready.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        case 4: {
                                message.stream = $root.rivulet.watch.v1.Stream.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        case 5: {
                                message.fragment = $root.rivulet.watch.v1.Fragment.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        case 6: {
                                message.rewind = $root.rivulet.watch.v1.Rewind.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        case 7: {
                                message.lost = $root.rivulet.watch.v1.Lost.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        case 8: {
                                message.resumed = $root.rivulet.watch.v1.Resumed.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        case 9: {
                                message.final = $root.rivulet.watch.v1.Final.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        case 10: {
                                message.cancelled = $root.rivulet.watch.v1.Cancelled.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        case 11: {
                                message.problem = $root.rivulet.watch.v1.Problem.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        case 12: {
                                message.confirmed = $root.rivulet.watch.v1.Confirmed.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        case 13: {
                                message.probe = $root.rivulet.watch.v1.Probe.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        case 14: {
                                message.reset = $root.rivulet.watch.v1.Reset.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        case 15: {
                                message.channelCursor = reader.string();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return WatchReply;
            })();

            v1.Ready = (function() {

                function Ready(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                Ready.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    return writer;
                };

                Ready.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.rivulet.watch.v1.Ready();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return Ready;
            })();

            v1.Stream = (function() {

                function Stream(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                Stream.prototype.status = "";
                Stream.prototype.epoch = 0;
                Stream.prototype.attempt = 0;
                Stream.prototype.contentType = "";
                Stream.prototype.merge = "";
                Stream.prototype.channel = "";
                Stream.prototype.metadataJson = "";
                Stream.prototype.confirmed = null;

                let $oneOfFields;

                // Virtual OneOf for proto3 optional field
                Object.defineProperty(Stream.prototype, "_confirmed", {
                    get: $util.oneOfGetter($oneOfFields = ["confirmed"]),
                    set: $util.oneOfSetter($oneOfFields)
                });

                Stream.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.status != null && Object.hasOwnProperty.call(message, "status"))
                        writer.uint32(10).string(message.status);
                    if (message.epoch != null && Object.hasOwnProperty.call(message, "epoch"))
                        writer.uint32(16).uint32(message.epoch);
                    if (message.attempt != null && Object.hasOwnProperty.call(message, "attempt"))
                        writer.uint32(24).uint32(message.attempt);
                    if (message.contentType != null && Object.hasOwnProperty.call(message, "contentType"))
                        writer.uint32(34).string(message.contentType);
                    if (message.merge != null && Object.hasOwnProperty.call(message, "merge"))
                        writer.uint32(42).string(message.merge);
                    if (message.channel != null && Object.hasOwnProperty.call(message, "channel"))
                        writer.uint32(50).string(message.channel);
                    if (message.metadataJson != null && Object.hasOwnProperty.call(message, "metadataJson"))
                        writer.uint32(58).string(message.metadataJson);
                    if (message.confirmed != null && Object.hasOwnProperty.call(message, "confirmed"))
                        writer.uint32(66).string(message.confirmed);
                    return writer;
                };

                Stream.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.rivulet.watch.v1.Stream();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.status = reader.string();
                                break;
                            }
                        case 2: {
                                message.epoch = reader.uint32();
                                break;
                            }
                        case 3: {
                                message.attempt = reader.uint32();
                                break;
                            }
                        case 4: {
                                message.contentType = reader.string();
                                break;
                            }
                        case 5: {
                                message.merge = reader.string();
                                break;
                            }
                        case 6: {
                                message.channel = reader.string();
                                break;
                            }
                        case 7: {
                                message.metadataJson = reader.string();
                                break;
                            }
                        case 8: {
                                message.confirmed = reader.string();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return Stream;
            })();

            v1.Fragment = (function() {

                function Fragment(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                Fragment.prototype.from = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
                Fragment.prototype.to = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
                Fragment.prototype.cursor = "";
                Fragment.prototype.lane = "";
                Fragment.prototype.text = null;
                Fragment.prototype.raw = null;
                Fragment.prototype.items = null;

                let $oneOfFields;

                Object.defineProperty(Fragment.prototype, "content", {
                    get: $util.oneOfGetter($oneOfFields = ["text", "raw", "items"]),
                    set: $util.oneOfSetter($oneOfFields)
                });

                Fragment.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.from != null && Object.hasOwnProperty.call(message, "from"))
                        writer.uint32(8).uint64(message.from);
                    if (message.to != null && Object.hasOwnProperty.call(message, "to"))
                        writer.uint32(16).uint64(message.to);
                    if (message.cursor != null && Object.hasOwnProperty.call(message, "cursor"))
                        writer.uint32(26).string(message.cursor);
                    if (message.lane != null && Object.hasOwnProperty.call(message, "lane"))
                        writer.uint32(34).string(message.lane);
                    if (message.text != null && Object.hasOwnProperty.call(message, "text"))
                        writer.uint32(42).string(message.text);
                    if (message.raw != null && Object.hasOwnProperty.call(message, "raw"))
                        writer.uint32(50).bytes(message.raw);
                    if (message.items != null && Object.hasOwnProperty.call(message, "items"))
                        $root.rivulet.watch.v1.Items.encode(message.items, writer.uint32(58).fork(), q + 1).ldelim();
                    return writer;
                };

                Fragment.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.rivulet.watch.v1.Fragment();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.from = reader.uint64();
                                break;
                            }
                        case 2: {
                                message.to = reader.uint64();
                                break;
                            }
                        case 3: {
                                message.cursor = reader.string();
                                break;
                            }
                        case 4: {
                                message.lane = reader.string();
                                break;
                            }
                        case 5: {
                                message.text = reader.string();
                                break;
                            }
                        case 6: {
                                message.raw = reader.bytes();
                                break;
                            }
                        case 7: {
                                message.items = $root.rivulet.watch.v1.Items.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return Fragment;
            })();

            v1.Items = (function() {

                function Items(properties) {
                    this.json = [];
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                Items.prototype.json = $util.emptyArray;

                Items.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.json != null && message.json.length)
                        for (let i = 0; i < message.json.length; ++i)
                            writer.uint32(10).string(message.json[i]);
                    return writer;
                };

                Items.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.rivulet.watch.v1.Items();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                if (!(message.json && message.json.length))
                                    message.json = [];
                                message.json.push(reader.string());
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return Items;
            })();

            v1.Rewind = (function() {

                function Rewind(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                Rewind.prototype.epoch = 0;
                Rewind.prototype.cursor = "";

                Rewind.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.epoch != null && Object.hasOwnProperty.call(message, "epoch"))
                        writer.uint32(8).uint32(message.epoch);
                    if (message.cursor != null && Object.hasOwnProperty.call(message, "cursor"))
                        writer.uint32(18).string(message.cursor);
                    return writer;
                };

                Rewind.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.rivulet.watch.v1.Rewind();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.epoch = reader.uint32();
                                break;
                            }
                        case 2: {
                                message.cursor = reader.string();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return Rewind;
            })();

            v1.Lost = (function() {

                function Lost(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                Lost.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    return writer;
                };

                Lost.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.rivulet.watch.v1.Lost();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return Lost;
            })();

            v1.Resumed = (function() {

                function Resumed(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                Resumed.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    return writer;
                };

                Resumed.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.rivulet.watch.v1.Resumed();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return Resumed;
            })();

            v1.Final = (function() {

                function Final(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                Final.prototype.status = "";
                Final.prototype.reason = "";
                Final.prototype.message = "";
                Final.prototype.epoch = 0;
                Final.prototype.sequence = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
                Final.prototype.bytes = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
                Final.prototype.checksum = 0;
                Final.prototype.digest = "";
                Final.prototype.metadataJson = "";
                Final.prototype.at = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
                Final.prototype.cursor = "";

                Final.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.status != null && Object.hasOwnProperty.call(message, "status"))
                        writer.uint32(10).string(message.status);
                    if (message.reason != null && Object.hasOwnProperty.call(message, "reason"))
                        writer.uint32(18).string(message.reason);
                    if (message.message != null && Object.hasOwnProperty.call(message, "message"))
                        writer.uint32(26).string(message.message);
                    if (message.epoch != null && Object.hasOwnProperty.call(message, "epoch"))
                        writer.uint32(32).uint32(message.epoch);
                    if (message.sequence != null && Object.hasOwnProperty.call(message, "sequence"))
                        writer.uint32(40).uint64(message.sequence);
                    if (message.bytes != null && Object.hasOwnProperty.call(message, "bytes"))
                        writer.uint32(48).uint64(message.bytes);
                    if (message.checksum != null && Object.hasOwnProperty.call(message, "checksum"))
                        writer.uint32(56).uint32(message.checksum);
                    if (message.digest != null && Object.hasOwnProperty.call(message, "digest"))
                        writer.uint32(66).string(message.digest);
                    if (message.metadataJson != null && Object.hasOwnProperty.call(message, "metadataJson"))
                        writer.uint32(74).string(message.metadataJson);
                    if (message.at != null && Object.hasOwnProperty.call(message, "at"))
                        writer.uint32(80).uint64(message.at);
                    if (message.cursor != null && Object.hasOwnProperty.call(message, "cursor"))
                        writer.uint32(90).string(message.cursor);
                    return writer;
                };

                Final.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.rivulet.watch.v1.Final();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.status = reader.string();
                                break;
                            }
                        case 2: {
                                message.reason = reader.string();
                                break;
                            }
                        case 3: {
                                message.message = reader.string();
                                break;
                            }
                        case 4: {
                                message.epoch = reader.uint32();
                                break;
                            }
                        case 5: {
                                message.sequence = reader.uint64();
                                break;
                            }
                        case 6: {
                                message.bytes = reader.uint64();
                                break;
                            }
                        case 7: {
                                message.checksum = reader.uint32();
                                break;
                            }
                        case 8: {
                                message.digest = reader.string();
                                break;
                            }
                        case 9: {
                                message.metadataJson = reader.string();
                                break;
                            }
                        case 10: {
                                message.at = reader.uint64();
                                break;
                            }
                        case 11: {
                                message.cursor = reader.string();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return Final;
            })();

            v1.Cancelled = (function() {

                function Cancelled(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                Cancelled.prototype.status = "";
                Cancelled.prototype.sequence = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
                Cancelled.prototype.bytes = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
                Cancelled.prototype.checksum = 0;

                Cancelled.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.status != null && Object.hasOwnProperty.call(message, "status"))
                        writer.uint32(10).string(message.status);
                    if (message.sequence != null && Object.hasOwnProperty.call(message, "sequence"))
                        writer.uint32(16).uint64(message.sequence);
                    if (message.bytes != null && Object.hasOwnProperty.call(message, "bytes"))
                        writer.uint32(24).uint64(message.bytes);
                    if (message.checksum != null && Object.hasOwnProperty.call(message, "checksum"))
                        writer.uint32(32).uint32(message.checksum);
                    return writer;
                };

                Cancelled.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.rivulet.watch.v1.Cancelled();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.status = reader.string();
                                break;
                            }
                        case 2: {
                                message.sequence = reader.uint64();
                                break;
                            }
                        case 3: {
                                message.bytes = reader.uint64();
                                break;
                            }
                        case 4: {
                                message.checksum = reader.uint32();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return Cancelled;
            })();

            v1.Confirmed = (function() {

                function Confirmed(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                Confirmed.prototype.session = "";
                Confirmed.prototype.cursor = "";

                Confirmed.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.session != null && Object.hasOwnProperty.call(message, "session"))
                        writer.uint32(10).string(message.session);
                    if (message.cursor != null && Object.hasOwnProperty.call(message, "cursor"))
                        writer.uint32(18).string(message.cursor);
                    return writer;
                };

                Confirmed.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.rivulet.watch.v1.Confirmed();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.session = reader.string();
                                break;
                            }
                        case 2: {
                                message.cursor = reader.string();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return Confirmed;
            })();

            v1.Probe = (function() {

                function Probe(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                Probe.prototype.confirmed = "";

                Probe.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.confirmed != null && Object.hasOwnProperty.call(message, "confirmed"))
                        writer.uint32(10).string(message.confirmed);
                    return writer;
                };

                Probe.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.rivulet.watch.v1.Probe();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.confirmed = reader.string();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return Probe;
            })();

            v1.Reset = (function() {

                function Reset(properties) {
                    this.streams = [];
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                Reset.prototype.reason = "";
                Reset.prototype.streams = $util.emptyArray;

                Reset.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.reason != null && Object.hasOwnProperty.call(message, "reason"))
                        writer.uint32(10).string(message.reason);
                    if (message.streams != null && message.streams.length)
                        for (let i = 0; i < message.streams.length; ++i)
                            $root.rivulet.watch.v1.StreamPlace.encode(message.streams[i], writer.uint32(18).fork(), q + 1).ldelim();
                    return writer;
                };

                Reset.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.rivulet.watch.v1.Reset();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.reason = reader.string();
                                break;
                            }
                        case 2: {
                                if (!(message.streams && message.streams.length))
                                    message.streams = [];
                                message.streams.push($root.rivulet.watch.v1.StreamPlace.decode(reader, reader.uint32(), undefined, long + 1));
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return Reset;
            })();

            v1.StreamPlace = (function() {

                function StreamPlace(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                StreamPlace.prototype.streamNo = "";
                StreamPlace.prototype.cursor = "";

                StreamPlace.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.streamNo != null && Object.hasOwnProperty.call(message, "streamNo"))
                        writer.uint32(10).string(message.streamNo);
                    if (message.cursor != null && Object.hasOwnProperty.call(message, "cursor"))
                        writer.uint32(18).string(message.cursor);
                    return writer;
                };

                StreamPlace.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.rivulet.watch.v1.StreamPlace();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.streamNo = reader.string();
                                break;
                            }
                        case 2: {
                                message.cursor = reader.string();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return StreamPlace;
            })();

            v1.Problem = (function() {

                function Problem(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                Problem.prototype.type = "";
                Problem.prototype.title = "";
                Problem.prototype.status = 0;
                Problem.prototype.code = "";
                Problem.prototype.detail = "";
                Problem.prototype.next = "";
                Problem.prototype.factsJson = "";

                Problem.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.type != null && Object.hasOwnProperty.call(message, "type"))
                        writer.uint32(10).string(message.type);
                    if (message.title != null && Object.hasOwnProperty.call(message, "title"))
                        writer.uint32(18).string(message.title);
                    if (message.status != null && Object.hasOwnProperty.call(message, "status"))
                        writer.uint32(24).uint32(message.status);
                    if (message.code != null && Object.hasOwnProperty.call(message, "code"))
                        writer.uint32(34).string(message.code);
                    if (message.detail != null && Object.hasOwnProperty.call(message, "detail"))
                        writer.uint32(42).string(message.detail);
                    if (message.next != null && Object.hasOwnProperty.call(message, "next"))
                        writer.uint32(50).string(message.next);
                    if (message.factsJson != null && Object.hasOwnProperty.call(message, "factsJson"))
                        writer.uint32(58).string(message.factsJson);
                    return writer;
                };

                Problem.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.rivulet.watch.v1.Problem();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.type = reader.string();
                                break;
                            }
                        case 2: {
                                message.title = reader.string();
                                break;
                            }
                        case 3: {
                                message.status = reader.uint32();
                                break;
                            }
                        case 4: {
                                message.code = reader.string();
                                break;
                            }
                        case 5: {
                                message.detail = reader.string();
                                break;
                            }
                        case 6: {
                                message.next = reader.string();
                                break;
                            }
                        case 7: {
                                message.factsJson = reader.string();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return Problem;
            })();

            return v1;
        })();

        return watch;
    })();

    return rivulet;
})();

export { $root as default };
