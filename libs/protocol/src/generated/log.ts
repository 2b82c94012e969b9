// @ts-nocheck
// Generated from proto/log.proto by `npm run proto`. Do not edit.
/*eslint-disable block-scoped-var, id-length, no-control-regex, no-magic-numbers, no-prototype-builtins, no-redeclare, no-shadow, no-var, sort-vars*/
import * as $protobuf from "protobufjs/minimal";

const $Reader = $protobuf.Reader, $Writer = $protobuf.Writer, $util = $protobuf.util;

const $root = $protobuf.roots["rivulet-log"] || ($protobuf.roots["rivulet-log"] = {});

export const rivulet = $root.rivulet = (() => {

    const rivulet = {};

    rivulet.v1 = (function() {

        const v1 = {};

        v1.LogRecord = (function() {

            function LogRecord(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            LogRecord.prototype.open = null;
            LogRecord.prototype.append = null;
            LogRecord.prototype.retry = null;
            LogRecord.prototype.end = null;
            LogRecord.prototype.abort = null;
            LogRecord.prototype.cancel = null;
            LogRecord.prototype.beat = null;
            LogRecord.prototype.lapse = null;
            LogRecord.prototype.gap = null;
            LogRecord.prototype.expire = null;
            LogRecord.prototype["delete"] = null;

            let $oneOfFields;

            Object.defineProperty(LogRecord.prototype, "body", {
                get: $util.oneOfGetter($oneOfFields = ["open", "append", "retry", "end", "abort", "cancel", "beat", "lapse", "gap", "expire", "delete"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            LogRecord.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.open != null && Object.hasOwnProperty.call(message, "open"))
                    $root.rivulet.v1.Open.encode(message.open, writer.uint32(10).fork(), q + 1).ldelim();
                if (message.append != null && Object.hasOwnProperty.call(message, "append"))
                    $root.rivulet.v1.Append.encode(message.append, writer.uint32(18).fork(), q + 1).ldelim();
                if (message.retry != null && Object.hasOwnProperty.call(message, "retry"))
                    $root.rivulet.v1.Retry.encode(message.retry, writer.uint32(26).fork(), q + 1).ldelim();
                if (message.end != null && Object.hasOwnProperty.call(message, "end"))
                    $root.rivulet.v1.End.encode(message.end, writer.uint32(34).fork(), q + 1).ldelim();
                if (message.abort != null && Object.hasOwnProperty.call(message, "abort"))
                    $root.rivulet.v1.Abort.encode(message.abort, writer.uint32(42).fork(), q + 1).ldelim();
                if (message.cancel != null && Object.hasOwnProperty.call(message, "cancel"))
                    $root.rivulet.v1.Cancel.encode(message.cancel, writer.uint32(50).fork(), q + 1).ldelim();
                if (message.beat != null && Object.hasOwnProperty.call(message, "beat"))
                    $root.rivulet.v1.Beat.encode(message.beat, writer.uint32(58).fork(), q + 1).ldelim();
                if (message.lapse != null && Object.hasOwnProperty.call(message, "lapse"))
                    $root.rivulet.v1.Lapse.encode(message.lapse, writer.uint32(66).fork(), q + 1).ldelim();
                if (message.gap != null && Object.hasOwnProperty.call(message, "gap"))
                    $root.rivulet.v1.Gap.encode(message.gap, writer.uint32(74).fork(), q + 1).ldelim();
                if (message.expire != null && Object.hasOwnProperty.call(message, "expire"))
                    $root.rivulet.v1.Expire.encode(message.expire, writer.uint32(82).fork(), q + 1).ldelim();
                if (message["delete"] != null && Object.hasOwnProperty.call(message, "delete"))
                    $root.rivulet.v1.Delete.encode(message["delete"], writer.uint32(90).fork(), q + 1).ldelim();
                return writer;
            };

            LogRecord.decode = function decode(reader, length, error, long) {
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
                message = new $root.rivulet.v1.LogRecord();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.open = $root.rivulet.v1.Open.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 2: {
                            message.append = $root.rivulet.v1.Append.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 3: {
                            message.retry = $root.rivulet.v1.Retry.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 4: {
                            message.end = $root.rivulet.v1.End.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 5: {
                            message.abort = $root.rivulet.v1.Abort.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 6: {
                            message.cancel = $root.rivulet.v1.Cancel.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 7: {
                            message.beat = $root.rivulet.v1.Beat.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 8: {
                            message.lapse = $root.rivulet.v1.Lapse.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 9: {
                            message.gap = $root.rivulet.v1.Gap.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 10: {
                            message.expire = $root.rivulet.v1.Expire.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 11: {
                            message["delete"] = $root.rivulet.v1.Delete.decode(reader, reader.uint32(), undefined, long + 1);
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

            return LogRecord;
        })();

        v1.Open = (function() {

            function Open(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            Open.prototype.channel = "";
            Open.prototype.contentType = "";
            Open.prototype.merge = "";
            Open.prototype["class"] = "";
            Open.prototype.leaseMs = 0;
            Open.prototype.ttlMs = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            Open.prototype.retentionMs = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            Open.prototype.limits = null;
            Open.prototype.judgeVersion = 0;
            Open.prototype.metadataJson = "";
            Open.prototype.openedBy = "";

            Open.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.channel != null && Object.hasOwnProperty.call(message, "channel"))
                    writer.uint32(10).string(message.channel);
                if (message.contentType != null && Object.hasOwnProperty.call(message, "contentType"))
                    writer.uint32(18).string(message.contentType);
                if (message.merge != null && Object.hasOwnProperty.call(message, "merge"))
                    writer.uint32(26).string(message.merge);
                if (message["class"] != null && Object.hasOwnProperty.call(message, "class"))
                    writer.uint32(34).string(message["class"]);
                if (message.leaseMs != null && Object.hasOwnProperty.call(message, "leaseMs"))
                    writer.uint32(40).uint32(message.leaseMs);
                if (message.ttlMs != null && Object.hasOwnProperty.call(message, "ttlMs"))
                    writer.uint32(48).uint64(message.ttlMs);
                if (message.retentionMs != null && Object.hasOwnProperty.call(message, "retentionMs"))
                    writer.uint32(56).uint64(message.retentionMs);
                if (message.limits != null && Object.hasOwnProperty.call(message, "limits"))
                    $root.rivulet.v1.Limits.encode(message.limits, writer.uint32(66).fork(), q + 1).ldelim();
                if (message.judgeVersion != null && Object.hasOwnProperty.call(message, "judgeVersion"))
                    writer.uint32(72).uint32(message.judgeVersion);
                if (message.metadataJson != null && Object.hasOwnProperty.call(message, "metadataJson"))
                    writer.uint32(82).string(message.metadataJson);
                if (message.openedBy != null && Object.hasOwnProperty.call(message, "openedBy"))
                    writer.uint32(90).string(message.openedBy);
                return writer;
            };

            Open.decode = function decode(reader, length, error, long) {
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
                message = new $root.rivulet.v1.Open();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.channel = reader.string();
                            break;
                        }
                    case 2: {
                            message.contentType = reader.string();
                            break;
                        }
                    case 3: {
                            message.merge = reader.string();
                            break;
                        }
                    case 4: {
                            message["class"] = reader.string();
                            break;
                        }
                    case 5: {
                            message.leaseMs = reader.uint32();
                            break;
                        }
                    case 6: {
                            message.ttlMs = reader.uint64();
                            break;
                        }
                    case 7: {
                            message.retentionMs = reader.uint64();
                            break;
                        }
                    case 8: {
                            message.limits = $root.rivulet.v1.Limits.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 9: {
                            message.judgeVersion = reader.uint32();
                            break;
                        }
                    case 10: {
                            message.metadataJson = reader.string();
                            break;
                        }
                    case 11: {
                            message.openedBy = reader.string();
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

            return Open;
        })();

        v1.Limits = (function() {

            function Limits(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            Limits.prototype.heldFragmentsMax = 0;
            Limits.prototype.heldBytesMax = 0;
            Limits.prototype.gapMsMax = 0;
            Limits.prototype.attemptsMax = 0;
            Limits.prototype.fragmentBytesMax = 0;
            Limits.prototype.streamBytesMax = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

            Limits.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.heldFragmentsMax != null && Object.hasOwnProperty.call(message, "heldFragmentsMax"))
                    writer.uint32(8).uint32(message.heldFragmentsMax);
                if (message.heldBytesMax != null && Object.hasOwnProperty.call(message, "heldBytesMax"))
                    writer.uint32(16).uint32(message.heldBytesMax);
                if (message.gapMsMax != null && Object.hasOwnProperty.call(message, "gapMsMax"))
                    writer.uint32(24).uint32(message.gapMsMax);
                if (message.attemptsMax != null && Object.hasOwnProperty.call(message, "attemptsMax"))
                    writer.uint32(32).uint32(message.attemptsMax);
                if (message.fragmentBytesMax != null && Object.hasOwnProperty.call(message, "fragmentBytesMax"))
                    writer.uint32(40).uint32(message.fragmentBytesMax);
                if (message.streamBytesMax != null && Object.hasOwnProperty.call(message, "streamBytesMax"))
                    writer.uint32(48).uint64(message.streamBytesMax);
                return writer;
            };

            Limits.decode = function decode(reader, length, error, long) {
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
                message = new $root.rivulet.v1.Limits();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.heldFragmentsMax = reader.uint32();
                            break;
                        }
                    case 2: {
                            message.heldBytesMax = reader.uint32();
                            break;
                        }
                    case 3: {
                            message.gapMsMax = reader.uint32();
                            break;
                        }
                    case 4: {
                            message.attemptsMax = reader.uint32();
                            break;
                        }
                    case 5: {
                            message.fragmentBytesMax = reader.uint32();
                            break;
                        }
                    case 6: {
                            message.streamBytesMax = reader.uint64();
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

            return Limits;
        })();

        v1.Append = (function() {

            function Append(properties) {
                this.payloads = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            Append.prototype.epoch = 0;
            Append.prototype.firstSeq = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            Append.prototype.writer = "";
            Append.prototype.n = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            Append.prototype.writerRun = "";
            Append.prototype.lane = "";
            Append.prototype.payloads = $util.emptyArray;

            Append.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.epoch != null && Object.hasOwnProperty.call(message, "epoch"))
                    writer.uint32(8).uint32(message.epoch);
                if (message.firstSeq != null && Object.hasOwnProperty.call(message, "firstSeq"))
                    writer.uint32(16).uint64(message.firstSeq);
                if (message.writer != null && Object.hasOwnProperty.call(message, "writer"))
                    writer.uint32(26).string(message.writer);
                if (message.n != null && Object.hasOwnProperty.call(message, "n"))
                    writer.uint32(32).uint64(message.n);
                if (message.writerRun != null && Object.hasOwnProperty.call(message, "writerRun"))
                    writer.uint32(42).string(message.writerRun);
                if (message.lane != null && Object.hasOwnProperty.call(message, "lane"))
                    writer.uint32(50).string(message.lane);
                if (message.payloads != null && message.payloads.length)
                    for (let i = 0; i < message.payloads.length; ++i)
                        writer.uint32(58).bytes(message.payloads[i]);
                return writer;
            };

            Append.decode = function decode(reader, length, error, long) {
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
                message = new $root.rivulet.v1.Append();
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
                            message.firstSeq = reader.uint64();
                            break;
                        }
                    case 3: {
                            message.writer = reader.string();
                            break;
                        }
                    case 4: {
                            message.n = reader.uint64();
                            break;
                        }
                    case 5: {
                            message.writerRun = reader.string();
                            break;
                        }
                    case 6: {
                            message.lane = reader.string();
                            break;
                        }
                    case 7: {
                            if (!(message.payloads && message.payloads.length))
                                message.payloads = [];
                            message.payloads.push(reader.bytes());
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

            return Append;
        })();

        v1.Retry = (function() {

            function Retry(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            Retry.prototype.epoch = 0;
            Retry.prototype.attemptId = "";
            Retry.prototype.keepNone = false;
            Retry.prototype.reason = "";

            Retry.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.epoch != null && Object.hasOwnProperty.call(message, "epoch"))
                    writer.uint32(8).uint32(message.epoch);
                if (message.attemptId != null && Object.hasOwnProperty.call(message, "attemptId"))
                    writer.uint32(18).string(message.attemptId);
                if (message.keepNone != null && Object.hasOwnProperty.call(message, "keepNone"))
                    writer.uint32(24).bool(message.keepNone);
                if (message.reason != null && Object.hasOwnProperty.call(message, "reason"))
                    writer.uint32(34).string(message.reason);
                return writer;
            };

            Retry.decode = function decode(reader, length, error, long) {
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
                message = new $root.rivulet.v1.Retry();
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
                            message.attemptId = reader.string();
                            break;
                        }
                    case 3: {
                            message.keepNone = reader.bool();
                            break;
                        }
                    case 4: {
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

            return Retry;
        })();

        v1.End = (function() {

            function End(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            End.prototype.epoch = 0;
            End.prototype.lastSeq = null;
            End.prototype.checksum = null;
            End.prototype.digest = "";
            End.prototype.metadataJson = "";
            End.prototype.writerRun = "";

            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(End.prototype, "_lastSeq", {
                get: $util.oneOfGetter($oneOfFields = ["lastSeq"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(End.prototype, "_checksum", {
                get: $util.oneOfGetter($oneOfFields = ["checksum"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            End.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.epoch != null && Object.hasOwnProperty.call(message, "epoch"))
                    writer.uint32(8).uint32(message.epoch);
                if (message.lastSeq != null && Object.hasOwnProperty.call(message, "lastSeq"))
                    writer.uint32(16).uint64(message.lastSeq);
                if (message.checksum != null && Object.hasOwnProperty.call(message, "checksum"))
                    writer.uint32(24).uint32(message.checksum);
                if (message.digest != null && Object.hasOwnProperty.call(message, "digest"))
                    writer.uint32(34).string(message.digest);
                if (message.metadataJson != null && Object.hasOwnProperty.call(message, "metadataJson"))
                    writer.uint32(42).string(message.metadataJson);
                if (message.writerRun != null && Object.hasOwnProperty.call(message, "writerRun"))
                    writer.uint32(50).string(message.writerRun);
                return writer;
            };

            End.decode = function decode(reader, length, error, long) {
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
                message = new $root.rivulet.v1.End();
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
                            message.lastSeq = reader.uint64();
                            break;
                        }
                    case 3: {
                            message.checksum = reader.uint32();
                            break;
                        }
                    case 4: {
                            message.digest = reader.string();
                            break;
                        }
                    case 5: {
                            message.metadataJson = reader.string();
                            break;
                        }
                    case 6: {
                            message.writerRun = reader.string();
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

            return End;
        })();

        v1.Abort = (function() {

            function Abort(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            Abort.prototype.epoch = 0;
            Abort.prototype.code = "";
            Abort.prototype.message = "";
            Abort.prototype.writerRun = "";

            Abort.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.epoch != null && Object.hasOwnProperty.call(message, "epoch"))
                    writer.uint32(8).uint32(message.epoch);
                if (message.code != null && Object.hasOwnProperty.call(message, "code"))
                    writer.uint32(18).string(message.code);
                if (message.message != null && Object.hasOwnProperty.call(message, "message"))
                    writer.uint32(26).string(message.message);
                if (message.writerRun != null && Object.hasOwnProperty.call(message, "writerRun"))
                    writer.uint32(34).string(message.writerRun);
                return writer;
            };

            Abort.decode = function decode(reader, length, error, long) {
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
                message = new $root.rivulet.v1.Abort();
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
                            message.code = reader.string();
                            break;
                        }
                    case 3: {
                            message.message = reader.string();
                            break;
                        }
                    case 4: {
                            message.writerRun = reader.string();
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

            return Abort;
        })();

        v1.Cancel = (function() {

            function Cancel(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            Cancel.prototype.by = "";
            Cancel.prototype.reason = "";

            Cancel.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.by != null && Object.hasOwnProperty.call(message, "by"))
                    writer.uint32(10).string(message.by);
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
                message = new $root.rivulet.v1.Cancel();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.by = reader.string();
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

        v1.Beat = (function() {

            function Beat(properties) {
                this.streams = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            Beat.prototype.streams = $util.emptyArray;

            Beat.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.streams != null && message.streams.length)
                    for (let i = 0; i < message.streams.length; ++i)
                        $root.rivulet.v1.Beating.encode(message.streams[i], writer.uint32(10).fork(), q + 1).ldelim();
                return writer;
            };

            Beat.decode = function decode(reader, length, error, long) {
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
                message = new $root.rivulet.v1.Beat();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            if (!(message.streams && message.streams.length))
                                message.streams = [];
                            message.streams.push($root.rivulet.v1.Beating.decode(reader, reader.uint32(), undefined, long + 1));
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

            return Beat;
        })();

        v1.Beating = (function() {

            function Beating(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            Beating.prototype.no = "";
            Beating.prototype.epoch = 0;

            Beating.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.no != null && Object.hasOwnProperty.call(message, "no"))
                    writer.uint32(10).string(message.no);
                if (message.epoch != null && Object.hasOwnProperty.call(message, "epoch"))
                    writer.uint32(16).uint32(message.epoch);
                return writer;
            };

            Beating.decode = function decode(reader, length, error, long) {
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
                message = new $root.rivulet.v1.Beating();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.no = reader.string();
                            break;
                        }
                    case 2: {
                            message.epoch = reader.uint32();
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

            return Beating;
        })();

        v1.Lapse = (function() {

            function Lapse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            Lapse.prototype.epoch = 0;
            Lapse.prototype.activityOffset = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

            Lapse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.epoch != null && Object.hasOwnProperty.call(message, "epoch"))
                    writer.uint32(8).uint32(message.epoch);
                if (message.activityOffset != null && Object.hasOwnProperty.call(message, "activityOffset"))
                    writer.uint32(16).uint64(message.activityOffset);
                return writer;
            };

            Lapse.decode = function decode(reader, length, error, long) {
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
                message = new $root.rivulet.v1.Lapse();
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
                            message.activityOffset = reader.uint64();
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

            return Lapse;
        })();

        v1.Gap = (function() {

            function Gap(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            Gap.prototype.epoch = 0;
            Gap.prototype.next = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

            Gap.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.epoch != null && Object.hasOwnProperty.call(message, "epoch"))
                    writer.uint32(8).uint32(message.epoch);
                if (message.next != null && Object.hasOwnProperty.call(message, "next"))
                    writer.uint32(16).uint64(message.next);
                return writer;
            };

            Gap.decode = function decode(reader, length, error, long) {
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
                message = new $root.rivulet.v1.Gap();
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
                            message.next = reader.uint64();
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

            return Gap;
        })();

        v1.Expire = (function() {

            function Expire(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            Expire.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                return writer;
            };

            Expire.decode = function decode(reader, length, error, long) {
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
                message = new $root.rivulet.v1.Expire();
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

            return Expire;
        })();

        v1.Delete = (function() {

            function Delete(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            Delete.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                return writer;
            };

            Delete.decode = function decode(reader, length, error, long) {
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
                message = new $root.rivulet.v1.Delete();
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

            return Delete;
        })();

        return v1;
    })();

    return rivulet;
})();

export { $root as default };
