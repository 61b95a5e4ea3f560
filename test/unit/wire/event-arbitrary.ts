// SPDX-License-Identifier: MIT
// Notifications and subscriptions by chance, for the tests of whatever carries them.
import fc from "fast-check";
import type {
  Address,
  Attribute,
  AttributeValue,
  Notification,
} from "../../../src/wire/event/notification.ts";
import { addressFields, attributeNames } from "../../../src/wire/event/notification.ts";

const cleanText = fc
  .string({ unit: "grapheme", maxLength: 12 })
  .filter((text) => !text.includes("\0") && text.isWellFormed());

const anyValue: fc.Arbitrary<AttributeValue> = fc.oneof(
  fc.integer().map((value) => ({ kind: "int32" as const, value })),
  fc
    .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    .map((value) => ({ kind: "int64" as const, value })),
  fc.double().map((value) => ({ kind: "real64" as const, value })),
  cleanText.map((value) => ({ kind: "string" as const, value })),
  fc.uint8Array({ maxLength: 10 }).map((value) => ({ kind: "opaque" as const, value })),
);

/** Any attributes at all that may be sent. */
export const anyNotification: fc.Arbitrary<Notification> = fc
  .uniqueArray(fc.record({ name: cleanText.filter((name) => name !== ""), value: anyValue }), {
    selector: ({ name }) => name,
    maxLength: 8,
  })
  .map((attributes) => ({ attributes }));

/** Few names, so that they meet; some with what subjects and expressions are steered by. */
const name = fc.constantFrom(
  "a",
  "b",
  "*",
  ">",
  "a.b",
  "é",
  `${"x".repeat(200)}1`,
  "x".repeat(300),
);

/** Addresses as notifications have them, with a field missing or of another type now and then. */
export const addressedNotification: fc.Arbitrary<Notification> = fc
  .record({
    fields: fc.tuple(
      ...addressFields.map((field) =>
        fc.option(
          fc.oneof(
            { weight: 8, arbitrary: name.map((value) => stringOf(attributeNames[field], value)) },
            { weight: 1, arbitrary: fc.constant(numberOf(attributeNames[field], 0)) },
          ),
          { nil: undefined, freq: 8 },
        ),
      ),
    ),
    scheduler: fc.constantFrom(0, 1, 2, undefined),
  })
  .map(({ fields, scheduler }) => ({
    attributes: [
      ...fields.filter((attribute) => attribute !== undefined),
      ...(scheduler === undefined ? [] : [numberOf(attributeNames.scheduler, scheduler)]),
    ],
  }));

const list = fc
  .tuple(
    fc.uniqueArray(
      name.filter((value) => !/[, ]/.test(value)),
      { minLength: 1, maxLength: 4 },
    ),
    fc.constantFrom(",", " ", ", "),
  )
  .map(([names, separator]) => names.join(separator));

/** Subscriptions with few and with many fields set; undefined asks for everything. */
export const anySubscription: fc.Arbitrary<Address | undefined> = fc.option(
  fc
    .record({
      fields: fc.tuple(...addressFields.map(() => mostlyUnset(list))),
      except: mostlyUnset(list),
      scheduler: fc.constantFrom(0 as const, 1 as const),
    })
    .map(({ fields, except, scheduler }) => {
      const set = addressFields.map((field, index) => [field, fields[index]] as const);
      const given = set.filter(([, value]) => value !== undefined);
      const exception = except === undefined ? {} : { exceptEventtypes: except };
      return { ...(Object.fromEntries(given) as Partial<Address>), ...exception, scheduler };
    }),
  { nil: undefined, freq: 10 },
);

/** With all fields set hardly anything would match. */
function mostlyUnset<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
}

function stringOf(attribute: string, value: string): Attribute {
  return { name: attribute, value: { kind: "string", value } };
}

function numberOf(attribute: string, value: number): Attribute {
  return { name: attribute, value: { kind: "int32", value } };
}
