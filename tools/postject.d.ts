// SPDX-License-Identifier: MIT
// What we use of postject, which brings no types of its own.
declare module "postject" {
  /** Writes a resource into an executable, in place. */
  export function inject(
    file: string,
    resource: string,
    data: Buffer,
    options?: { readonly sentinelFuse?: string },
  ): Promise<void>;
}
