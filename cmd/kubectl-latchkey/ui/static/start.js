// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0
'use strict';
// The code leaves the address before anything else happens.
const code = location.hash.slice(1);
history.replaceState(null, '', location.pathname + location.search);

// The other scripts are asked for when the page has been painted once. A page in the background is not painted.
const begin = () => {
  for (const file of ['htmx.min.js', 'page.js']) {
    const script = document.createElement('script');
    script.src = `/static/${file}`;
    script.async = false;
    document.head.append(script);
  }
};
addEventListener('load', () => { if (document.hidden) begin(); else requestAnimationFrame(() => setTimeout(begin)); });
