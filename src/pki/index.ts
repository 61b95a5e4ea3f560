// SPDX-License-Identifier: MIT
// Certificates and keys: an authority, what it signs, and what doors load of it.
export {
  type CertificateFiles,
  type InitOptions,
  type IssueFilesOptions,
  initDirectory,
  issueFiles,
} from "./certificate-directory.ts";
export { PkiError, type PkiErrorCode } from "./pki-error.ts";
export {
  type PeerCertificate,
  type Subject,
  type SubjectKind,
  subjectKinds,
  subjectOfPeer,
} from "./subject.ts";
export {
  loadTlsFiles,
  loadTlsMaterial,
  type TlsFileNames,
  type TlsMaterial,
  type TlsMaterialOptions,
  type TlsTexts,
} from "./tls-material.ts";
