// Passkeys: the one thing of these pages that needs a script, since only a script can
// ask the browser for one. Each form with data-passkey becomes visible where the browser
// knows passkeys; its button asks for one and sends what the passkey signed.
"use strict";

(() => {
  if (!window.PublicKeyCredential || !navigator.credentials) {
    return;
  }

  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replace(/\+/g, "-")
      .replace(/\//g, "_")
      .replace(/=+$/, "");
  const known = (list) => (list || []).map((c) => ({ ...c, id: bytes(c.id) }));

  // ask has a passkey sign in, make has one made. Both return what is sent.
  const ask = async (options) => {
    const made = await navigator.credentials.get({
      publicKey: { ...options, challenge: bytes(options.challenge), allowCredentials: known(options.allowCredentials) },
    });
    const r = made.response;
    return {
      id: made.id,
      rawId: text(made.rawId),
      type: made.type,
      clientExtensionResults: {},
      response: {
        clientDataJSON: text(r.clientDataJSON),
        authenticatorData: text(r.authenticatorData),
        signature: text(r.signature),
        userHandle: r.userHandle ? text(r.userHandle) : "",
      },
    };
  };
  const make = async (options) => {
    const made = await navigator.credentials.create({
      publicKey: {
        ...options,
        challenge: bytes(options.challenge),
        user: { ...options.user, id: bytes(options.user.id) },
        excludeCredentials: known(options.excludeCredentials),
      },
    });
    const r = made.response;
    return {
      id: made.id,
      rawId: text(made.rawId),
      type: made.type,
      clientExtensionResults: {},
      response: {
        clientDataJSON: text(r.clientDataJSON),
        attestationObject: text(r.attestationObject),
        transports: r.getTransports ? r.getTransports() : [],
      },
    };
  };

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const button = form.querySelector("button[data-ask]");
    const problem = form.querySelector("[data-problem]");
    form.hidden = false;
    let busy = false;
    form.addEventListener("submit", async (event) => {
      if (form.elements.passkey.value) {
        return; // signed: it may go
      }
      event.preventDefault();
      if (busy) {
        return;
      }
      busy = true;
      problem.hidden = true;
      try {
        const options = JSON.parse(form.dataset.options);
        form.elements.passkey.value = JSON.stringify(await (form.dataset.passkey === "make" ? make : ask)(options));
        form.requestSubmit(button);
      } catch (error) {
        // Cancelled, too late, none there, or one that is there already.
        problem.textContent = error.name === "InvalidStateError" ? problem.dataset.twice : problem.dataset.failed;
        problem.hidden = false;
      }
      busy = false;
    });
  }

  // A page that comes back from the browser's memory has nothing signed.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) {
      location.reload();
    }
  });
})();
