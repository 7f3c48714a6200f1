"""The glyphs on the tiles: lines in a 24 by 24 square."""

ICONS = {
    # People and their programs
    "people": (
        '<circle cx="9" cy="8" r="3.5"/><path d="M2.5 20c.4-4 3-6.2 6.5-6.2s6.1 2.2 6.5 6.2"/>'
        '<path d="M15.5 4.9a3.5 3.5 0 0 1 0 6.2M18 14.6c2.1.9 3.3 2.7 3.5 5.4"/>'
    ),
    "browser": '<rect x="2.5" y="4" width="19" height="16" rx="2"/><path d="M2.5 9h19M6 6.5h.01M9 6.5h.01"/>',
    "mail": '<rect x="2.5" y="5" width="19" height="14" rx="2"/><path d="m3 7 9 6.5L21 7"/>',
    "operator": '<rect x="2.5" y="4" width="19" height="16" rx="2"/><path d="m6.5 9 3.5 3-3.5 3M12.5 15.5h5"/>',
    # Computing
    "function": '<path d="M6 4h3.5L18 20M11.3 10.2 6.5 20"/>',
    "server": (
        '<rect x="3.5" y="4" width="17" height="7" rx="1.5"/><rect x="3.5" y="13" width="17" height="7" rx="1.5"/>'
        '<path d="M7 7.5h.01M7 16.5h.01M11 7.5h6M11 16.5h6"/>'
    ),
    # Messages and data
    "queue": (
        '<rect x="2.5" y="8" width="4.5" height="8" rx="1"/><rect x="9.75" y="8" width="4.5" height="8" rx="1"/>'
        '<rect x="17" y="8" width="4.5" height="8" rx="1"/><path d="M5 4.5h14M5 19.5h14"/>'
    ),
    "dead-letters": (
        '<rect x="2.5" y="5" width="19" height="14" rx="2"/><path d="m9.2 9.2 5.6 5.6M14.8 9.2l-5.6 5.6"/>'
    ),
    "topic": (
        '<circle cx="6" cy="12" r="2.5"/><path d="M8.3 11 17 6.3M8.5 12H17M8.3 13l8.7 4.7"/>'
        '<circle cx="19" cy="5.3" r="2"/><circle cx="19" cy="12" r="2"/><circle cx="19" cy="18.7" r="2"/>'
    ),
    "table": (
        '<ellipse cx="12" cy="6" rx="7.5" ry="2.8"/><path d="M4.5 6v12c0 1.5 3.4 2.8 7.5 2.8s7.5-1.3 7.5-2.8V6"/>'
        '<path d="M4.5 12c0 1.5 3.4 2.8 7.5 2.8s7.5-1.3 7.5-2.8"/>'
    ),
    # Networks
    "api": '<path d="m7.5 7-5 5 5 5M16.5 7l5 5-5 5M13.8 4.5l-3.6 15"/>',
    "balancer": (
        '<circle cx="5" cy="12" r="2.5"/><path d="M7.5 12H17M12 12V5.5h5M12 12v6.5h5"/>'
        '<circle cx="19" cy="5.5" r="2"/><circle cx="19" cy="12" r="2"/><circle cx="19" cy="18.5" r="2"/>'
    ),
    "gateway": ('<path d="M4 20.5V12a8 8 0 0 1 16 0v8.5M2.5 20.5h19"/><path d="M9 20.5V14a3 3 0 0 1 6 0v6.5"/>'),
    "translation": '<path d="M3 8h15m-4-4 4 4-4 4M21 16H6m4-4-4 4 4 4"/>',
    "signpost": '<path d="M12 2.5v19M12 4.5h6.5l2.5 2.5-2.5 2.5H12M12 11.5H5.5L3 14l2.5 2.5H12"/>',
    "shield": '<path d="M12 2.8 20 5.5v6c0 5-3.3 8.3-8 9.9-4.7-1.6-8-4.9-8-9.9v-6z"/><path d="m8.5 12 2.5 2.5 4.5-5"/>',
    # Monitoring
    "alarm": '<path d="M6 16.5V11a6 6 0 0 1 12 0v5.5l1.8 1.8H4.2zM10 21h4M12 2.5V5"/>',
    "log": '<path d="M5 2.8h9.5L19 7.3v13.9H5z"/><path d="M8.5 11.5h7M8.5 15h7M8.5 8h3"/>',
    # Software
    "source": (
        '<circle cx="7" cy="5" r="2.3"/><circle cx="7" cy="19" r="2.3"/><circle cx="17" cy="8" r="2.3"/>'
        '<path d="M7 7.3v9.4M17 10.3c0 3.2-3 4.2-6.5 4.5C8.3 15 7 15.7 7 16.7"/>'
    ),
}
