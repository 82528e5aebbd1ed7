//! A server whose own certificate is the root that the user trusts, as PostgreSQL's documentation makes one ("Creating
//! Certificates"). psql takes it; the driver's TLS takes no root for a server's certificate. So the encrypted connection is
//! made here, and the driver speaks through a socket that only this user can open.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpStream, UnixListener};
use tokio_rustls::TlsConnector;

/// What a client sends to ask for TLS: its length, and the number of the request.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// The roots that an address names.
#[derive(Debug, Clone)]
pub(super) struct Roots {
    /// A file of certificates.
    pub(super) file: PathBuf,
    /// Whether the name of the server is checked, too: `verify-full`.
    pub(super) names: bool,
}

/// Whether a connection failed because the server's certificate is a root.
pub(super) fn is_refused_root(error: &sqlx::Error) -> bool {
    format!("{error:?}").contains("CaUsedAsEndEntity")
}

impl Roots {
    /// Connects to a server whose certificate is one of the roots.
    pub(super) async fn connect(&self, options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
        let tls = |error: Box<dyn std::error::Error + Send + Sync>| sqlx::Error::Tls(error);
        let certificates = CertificateDer::pem_file_iter(&self.file).map_err(|error| tls(error.into()))?;
        let roots: Vec<CertificateDer<'static>> = certificates.filter_map(Result::ok).collect();
        let provider = Arc::new(ring::default_provider());
        let verifier = Verifier { roots, names: self.names, provider: Arc::clone(&provider) };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| tls(error.into()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        let host = options.get_host();
        let name = ServerName::try_from(host.to_owned()).map_err(|error| tls(error.into()))?;
        let mut stream = TcpStream::connect((host, options.get_port())).await?;
        stream.write_all(&SSL_REQUEST).await?;
        if stream.read_u8().await? != b'S' {
            return Err(tls("the server does not support TLS".into()));
        }
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        let folder = Folder::new()?;
        let listener = UnixListener::bind(folder.0.join(".s.PGSQL.5432"))?;
        let plain = options.clone().socket(&folder.0).port(5432).ssl_mode(PgSslMode::Disable);
        tokio::spawn(async move {
            if let Ok((mut own, _)) = listener.accept().await {
                drop(listener);
                let _ = copy_bidirectional(&mut own, &mut stream).await;
            }
        });
        PgConnection::connect_with(&plain).await
    }
}

/// A folder that only this user can enter, removed with what is in it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let mut last = None;
        for _ in 0..100 {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("crosstail-{}-{number}", std::process::id()));
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| std::io::ErrorKind::AlreadyExists.into()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let path: &Path = &self.0;
        let _ = std::fs::remove_dir_all(path);
    }
}

/// Checks a certificate as usual, but for one thing: the certificate of a server may be a root itself.
#[derive(Debug)]
struct Verifier {
    roots: Vec<CertificateDer<'static>>,
    names: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.roots.iter().cloned());
        let algorithms = self.provider.signature_verification_algorithms.all;
        let signed = verify_server_cert_signed_by_trust_anchor(&certificate, &roots, intermediates, now, algorithms);
        match signed {
            Ok(()) => {}
            // Its dates have been checked before.
            Err(error)
                if format!("{error:?}").contains("CaUsedAsEndEntity")
                    && self.roots.iter().any(|root| root == end_entity) => {}
            Err(error) => return Err(error),
        }
        if self.names {
            verify_server_name(&certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
