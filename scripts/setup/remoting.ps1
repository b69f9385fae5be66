# PowerShell Remoting and WinRM: on, over HTTPS too, for the cluster only.

$ListenerUri = 'winrm/config/Listener'
$CertificateName = 'dtui WinRM'
$HttpsPort = 5986
# The listener outlives a change of the machine's address; the firewall names who may reach it.
$EveryAddress = '*'
$TokenPolicy = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System'

function Get-Endpoints {
    # The session configurations and their rights as SDDL, by name. WinRM has to run.
    $found = [ordered]@{}
    foreach ($configuration in @(Get-PSSessionConfiguration -ErrorAction Stop)) {
        $found[[string]$configuration.Name] = [string](Get-Field $configuration 'SecurityDescriptorSddl')
    }
    return $found
}

function Test-Denied {
    # Disabled remoting denies network logons in the session configuration, whatever the service does.
    param([AllowEmptyString()][string]$Sddl = '')
    return ($Sddl -match '\(D;[^)]+;NU\)')
}

function Test-RemotingEnabled {
    if (-not (Test-ServiceRunning -Name 'WinRM')) {
        return $false
    }
    $endpoints = Get-Endpoints
    if (-not $endpoints.Contains('microsoft.powershell') -or (Test-Denied $endpoints['microsoft.powershell'])) {
        return $false
    }
    return (@(Get-Listeners -Transport 'HTTP').Count + @(Get-Listeners -Transport 'HTTPS').Count -gt 0)
}

function Get-Listeners {
    param([Parameter(Mandatory = $true)][string]$Transport)
    return @(Get-WSManInstance -ResourceURI $ListenerUri -Enumerate -ErrorAction Stop | Where-Object { $_.Transport -eq $Transport })
}

function Get-Thumbprint {
    # Written by winrm with spaces or without, as it was given.
    param([Parameter(Mandatory = $true)]$Listener)
    return ([string](Get-Field $Listener 'CertificateThumbprint')) -replace '\s', ''
}

function Get-MachineCertificates {
    return @(Get-ChildItem -Path 'Cert:\LocalMachine\My' -ErrorAction Stop)
}

function Get-ShownCertificate {
    # The certificate of a listener; nothing when it is not in the store.
    param([Parameter(Mandatory = $true)]$Listener)
    $thumbprint = Get-Thumbprint $Listener
    return (@(Get-MachineCertificates | Where-Object { $_.Thumbprint -eq $thumbprint }) | Select-Object -First 1)
}

function Get-ServingListeners {
    # Listeners over HTTPS that answer at the address and the port that dtui uses, by whomever they were made. One
    # without an address to listen on, of an adapter that is gone, has no such property at all.
    param([Parameter(Mandatory = $true)][string]$Address)
    if (-not (Test-ServiceRunning -Name 'WinRM')) {
        return @()
    }
    return @(Get-Listeners -Transport 'HTTPS' | Where-Object {
            $port = [string](Get-Field $_ 'Port')
            ($port -eq '' -or $port -eq [string]$HttpsPort) -and [string](Get-Field $_ 'Enabled') -ne 'false' -and
            @(Get-Field $_ 'ListeningOn') -contains $Address
        })
}

function Test-CertificateLasts {
    param($Certificate, [int]$Days = 30)
    return ($null -ne $Certificate -and $Certificate.NotAfter -gt (Get-Date).AddDays($Days))
}

function Enable-Remoting {
    # WinRM runs already. `States` are the states of the firewall rules before anything was changed, by name; `Close`
    # narrows what Windows opens, before anything else that can fail.
    param([Parameter(Mandatory = $true)]$States, [Parameter(Mandatory = $true)][scriptblock]$Close)
    if (Test-RemotingEnabled) {
        return
    }
    if ($WhatIfPreference -and -not (Test-ServiceRunning -Name 'WinRM')) {
        Invoke-Change -Kind 'Remoting' -Target 'machine' -Old 'off' -New 'on' -Do { $null }
        return
    }
    $rules = [ordered]@{}
    foreach ($name in @($States.Keys | Where-Object { $_ -match '^WINRM-' } | Sort-Object)) {
        $rules[$name] = $States[$name]
    }
    $present = [ordered]@{
        remoting = 'off'
        http = @(Get-Listeners -Transport 'HTTP' | ForEach-Object { [string]$_.Address })
        policy = Get-RegistryNumber -Path $TokenPolicy -Name 'LocalAccountTokenFilterPolicy'
        rules = $rules
        endpoints = Get-Endpoints
    }
    $member = Test-DomainMember
    Invoke-Change -Kind 'Remoting' -Target 'machine' -Old $present -New 'on' -Do {
        # Without a check of the network's profile: on a Public network this would fail, and the firewall rules
        # decide who gets in anyway.
        try {
            Enable-PSRemoting -Force -SkipNetworkProfileCheck -ErrorAction Stop
        } finally {
            & $Close
        }
        # It may also set the policy for local accounts, which a member of a domain does not need.
        if ($member) {
            Restore-RegistryNumber -Path $TokenPolicy -Name 'LocalAccountTokenFilterPolicy' -Value $present.policy
        }
    }
}

function Undo-Remoting {
    # Enable-PSRemoting changes all of these; Disable-PSRemoting shuts every endpoint, also the ones that were open.
    param([Parameter(Mandatory = $true)]$Entry)
    Restore-WinRM -Do {
        $old = Get-Field $Entry.old 'endpoints'
        if ($null -eq $old) {
            Disable-PSRemoting -Force -WarningAction SilentlyContinue -ErrorAction Stop
        } else {
            Restore-Endpoints -Old $old
        }
        $kept = @(Get-Field $Entry.old 'http')
        if ($null -eq (Get-Field $Entry.old 'http') -and [int](Get-Field $Entry.old 'listeners') -gt 0) {
            $kept = @(Get-Listeners -Transport 'HTTP' | ForEach-Object { [string]$_.Address })
        }
        foreach ($listener in @(Get-Listeners -Transport 'HTTP')) {
            if ($kept -notcontains [string]$listener.Address) {
                Remove-WSManInstance -ResourceURI $ListenerUri -SelectorSet @{ Address = [string]$listener.Address; Transport = 'HTTP' } -ErrorAction Stop
            }
        }
    }
    Restore-RegistryNumber -Path $TokenPolicy -Name 'LocalAccountTokenFilterPolicy' -Value $Entry.old.policy
    # Rules that were on have an entry of their own when the script switched them off.
    foreach ($state in @($Entry.old.rules.PSObject.Properties)) {
        if ([string]$state.Value -eq 'False') {
            Undo-RuleState -Entry ([pscustomobject]@{ target = $state.Name; old = $state.Value })
        }
    }
}

function Restore-Endpoints {
    # Each endpoint as it was; those that were not there go.
    param([Parameter(Mandatory = $true)]$Old)
    $present = Get-Endpoints
    $opened = @($Old.PSObject.Properties | Where-Object { $present.Contains($_.Name) -and $present[$_.Name] -ne [string]$_.Value })
    $others = @($Old.PSObject.Properties | Where-Object { -not (Test-Denied ([string]$_.Value)) })
    if ($opened.Count -gt 0 -and $others.Count -eq 0) {
        # All were denied before, as on a Windows whose remoting was never on.
        Disable-PSRemoting -Force -WarningAction SilentlyContinue -ErrorAction Stop
        $present = Get-Endpoints
    }
    foreach ($property in @($Old.PSObject.Properties)) {
        if ($present.Contains($property.Name) -and $present[$property.Name] -ne [string]$property.Value) {
            Set-PSSessionConfiguration -Name $property.Name -SecurityDescriptorSddl ([string]$property.Value) -Force -NoServiceRestart -WarningAction SilentlyContinue -ErrorAction Stop
        }
    }
    foreach ($name in @($present.Keys)) {
        if ($null -eq $Old.PSObject.Properties[$name]) {
            Unregister-PSSessionConfiguration -Name $name -Force -NoServiceRestart -WarningAction SilentlyContinue -ErrorAction Stop
        }
    }
}

function Restore-WinRM {
    # Puts something of WinRM back, which needs the service: starts it where it is stopped, and stops it again.
    param([Parameter(Mandatory = $true)][scriptblock]$Do)
    $service = Get-PlainService -Name 'WinRM'
    if ($null -eq $service) {
        throw 'There is no service WinRM on this machine.'
    }
    $start = [string]$service.StartType
    $status = [string]$service.Status
    if ($status -eq 'Running') {
        & $Do
        return
    }
    try {
        if ($start -eq 'Disabled') {
            Set-Service -Name 'WinRM' -StartupType Manual -ErrorAction Stop
        }
        Start-Service -Name 'WinRM' -ErrorAction Stop
        & $Do
    } finally {
        Restore-Service -Name 'WinRM' -Start $start -Status $status
    }
}

function Get-OwnAddress {
    # The address of the adapter that routes to the master: nodes.yaml gets it.
    param([Parameter(Mandatory = $true)][string]$Toward)
    $routes = @()
    $why = ''
    try {
        $routes = @(Find-NetRoute -RemoteIPAddress $Toward -ErrorAction Stop | Where-Object { $_.PSObject.Properties.Name -contains 'IPAddress' })
    } catch {
        $why = " Windows reports: $(Get-ErrorText $_)"
    }
    if ($routes.Count -eq 0) {
        throw "This machine has no route to $Toward. Check the address of the master and the network cable.$why"
    }
    $own = Get-PlainAddress ([string]$routes[0].IPAddress)
    if ($own -eq $Toward) {
        throw "$Toward is this machine's own address. -MasterIP is the address of the other machine that dtui runs on; on that machine, run master_setup.ps1."
    }
    return $own
}

function Get-ListenerCertificate {
    param([Parameter(Mandatory = $true)][string]$Address)
    $valid = @(Get-MachineCertificates | Where-Object { $_.FriendlyName -eq "$CertificateName $Address" -and (Test-CertificateLasts $_) })
    if ($valid.Count -eq 0) {
        return $null
    }
    return $valid[0]
}

function Test-OwnListener {
    # Whether this script made the listener: its certificate is ours, or the journal tells of it.
    param([Parameter(Mandatory = $true)]$Listener)
    $shown = Get-ShownCertificate $Listener
    if ($null -ne $shown) {
        return ([string]$shown.FriendlyName -match "^$CertificateName ")
    }
    $target = [string]$Listener.Address
    return (@(Read-Entries -Lines @(Get-JournalLines) | Where-Object {
                $null -ne $_.entry -and $_.entry.kind -eq 'HttpsListener' -and (Get-Selector ([string]$_.entry.target)) -eq $target
            }).Count -gt 0)
}

function Get-Selector {
    # Of a journal's target; older versions wrote the bare address.
    param([Parameter(Mandatory = $true)][string]$Target)
    if ($Target -eq $EveryAddress -or $Target -match '^(IP|MAC):') {
        return $Target
    }
    return "IP:$Target"
}

function Enable-HttpsListener {
    param([Parameter(Mandatory = $true)][string]$Address)
    if (-not (Test-ServiceRunning -Name 'WinRM')) {
        if ($WhatIfPreference) {
            Invoke-Change -Kind 'HttpsListener' -Target $EveryAddress -Old $null -New "port $HttpsPort" -Do { $null }
        }
        return
    }
    $serving = @(Get-ServingListeners -Address $Address)
    $worn = $null
    if ($serving.Count -gt 0) {
        if (Test-CertificateLasts (Get-ShownCertificate $serving[0])) {
            return
        }
        if (-not (Test-OwnListener $serving[0])) {
            if (Test-CertificateLasts (Get-ShownCertificate $serving[0]) -Days 0) {
                Write-Note 'the certificate of the WinRM listener over HTTPS ends within 30 days, and this script did not make it: renew it, and put its new fingerprint into nodes.yaml.'
                return
            }
            throw "The WinRM listener over HTTPS at port $HttpsPort shows a certificate that has expired or is gone, and this script did not make it. Give it a new one (Set-WSManInstance), or remove it and run this again."
        }
        $worn = $serving[0]
    }
    if ($null -eq (Get-ListenerCertificate -Address $Address)) {
        $name = "$CertificateName $Address"
        Invoke-Change -Kind 'Certificate' -Target $name -Old $null -New 'self-signed, 5 years' -Do {
            # Name and address, so that the master may check the certificate whichever of them it uses.
            $names = "2.5.29.17={text}DNS=$env:COMPUTERNAME&IPAddress=$Address"
            New-SelfSignedCertificate -Subject "CN=$env:COMPUTERNAME" -TextExtension @($names) -Type SSLServerAuthentication -CertStoreLocation 'Cert:\LocalMachine\My' -NotAfter (Get-Date).AddYears(5) -FriendlyName $name -ErrorAction Stop
        }
    }
    $target = $EveryAddress
    $old = $null
    if ($null -ne $worn) {
        $target = [string]$worn.Address
        $old = [ordered]@{ thumbprint = Get-Thumbprint $worn; hostname = [string](Get-Field $worn 'Hostname') }
    } elseif (@(Get-Listeners -Transport 'HTTPS' | Where-Object { $_.Address -eq $EveryAddress }).Count -gt 0) {
        # One for every address is there, at another port.
        $target = "IP:$Address"
    }
    Invoke-Change -Kind 'HttpsListener' -Target $target -Old $old -New "port $HttpsPort" -Do {
        if ($null -ne $old) {
            Remove-WSManInstance -ResourceURI $ListenerUri -SelectorSet @{ Address = $target; Transport = 'HTTPS' } -ErrorAction Stop
        }
        $certificate = Get-ListenerCertificate -Address $Address
        New-Listener -Selector $target -HostName $env:COMPUTERNAME -Thumbprint $certificate.Thumbprint
    }
}

function New-Listener {
    param([Parameter(Mandatory = $true)][string]$Selector, [Parameter(Mandatory = $true)][string]$HostName, [Parameter(Mandatory = $true)][string]$Thumbprint)
    $values = @{ Hostname = $HostName; CertificateThumbprint = $Thumbprint }
    New-WSManInstance -ResourceURI $ListenerUri -SelectorSet @{ Address = $Selector; Transport = 'HTTPS' } -ValueSet $values -ErrorAction Stop
}

function Undo-HttpsListener {
    param([Parameter(Mandatory = $true)]$Entry)
    Restore-WinRM -Do {
        $selector = Get-Selector ([string]$Entry.target)
        $present = @(Get-Listeners -Transport 'HTTPS' | Where-Object { [string]$_.Address -eq $selector })
        if ($present.Count -gt 0) {
            Remove-WSManInstance -ResourceURI $ListenerUri -SelectorSet @{ Address = $selector; Transport = 'HTTPS' } -ErrorAction Stop
        }
        $thumbprint = [string](Get-Field $Entry.old 'thumbprint')
        if ($thumbprint -and @(Get-MachineCertificates | Where-Object { $_.Thumbprint -eq $thumbprint }).Count -gt 0) {
            New-Listener -Selector $selector -HostName ([string]$Entry.old.hostname) -Thumbprint $thumbprint
        }
    }
}

function Undo-Certificate {
    param([Parameter(Mandatory = $true)]$Entry)
    foreach ($certificate in @(Get-MachineCertificates | Where-Object { $_.FriendlyName -eq $Entry.target })) {
        Remove-Item -Path "Cert:\LocalMachine\My\$($certificate.Thumbprint)" -DeleteKey -ErrorAction Stop
    }
}

function Get-CertificateFingerprint {
    # SHA-256 of the certificate that the HTTPS listener shows, as nodes.yaml takes it; empty without one.
    param([Parameter(Mandatory = $true)][string]$Address)
    $serving = @(Get-ServingListeners -Address $Address)
    if ($serving.Count -eq 0) {
        return ''
    }
    $shown = Get-ShownCertificate $serving[0]
    if ($null -eq $shown) {
        return ''
    }
    $named = ([string]$shown.FriendlyName) -replace "^$CertificateName ", ''
    if ([string]$shown.FriendlyName -match "^$CertificateName " -and $named -ne $Address) {
        Write-Note "this machine's address was $named when its certificate was made, and is $Address now: change it in nodes.yaml on the master. Ask for a fixed address where it changes often."
    }
    $digest = [Security.Cryptography.SHA256]::Create().ComputeHash($shown.RawData)
    return 'SHA256:' + [BitConverter]::ToString($digest).Replace('-', '')
}

function Get-TrustedHosts {
    return [string](Get-Item -Path 'WSMan:\localhost\Client\TrustedHosts' -ErrorAction Stop).Value
}

function Set-TrustedMaster {
    # The client's list: it lets this machine open sessions to the master. The master is added to it; dtui itself
    # does not need it, so a policy that forbids it is no fault.
    param([Parameter(Mandatory = $true)][string]$Address)
    if (-not (Test-ServiceRunning -Name 'WinRM')) {
        if ($WhatIfPreference) {
            Invoke-Change -Kind 'TrustedHosts' -Target 'WSMan client' -Old '' -New $Address -Do { $null }
        }
        return
    }
    $present = Get-TrustedHosts
    $names = @($present -split ',' | ForEach-Object { $_.Trim() } | Where-Object { $_ })
    if ($names -contains $Address -or $names -contains $EveryAddress) {
        return
    }
    $wanted = (@($names) + $Address) -join ','
    try {
        Invoke-Change -Kind 'TrustedHosts' -Target 'WSMan client' -Old $present -New $wanted -Do {
            Set-Item -Path 'WSMan:\localhost\Client\TrustedHosts' -Value $wanted -Force -ErrorAction Stop
        }
    } catch {
        Write-Note "TrustedHosts could not be changed ($(Get-ErrorText $_)). dtui does not need it; Enter-PSSession from this machine to the master does."
    }
}

function Undo-TrustedHosts {
    # Takes away what was added; names that somebody added since stay.
    param([Parameter(Mandatory = $true)]$Entry)
    Restore-WinRM -Do {
        $present = Get-TrustedHosts
        $wanted = [string]$Entry.old
        $new = [string](Get-Field $Entry 'new')
        if ($present -ne $new) {
            $old = @($wanted -split ',' | ForEach-Object { $_.Trim() })
            $ours = @($new -split ',' | ForEach-Object { $_.Trim() } | Where-Object { $old -notcontains $_ })
            $wanted = @($present -split ',' | ForEach-Object { $_.Trim() } | Where-Object { $_ -and $ours -notcontains $_ }) -join ','
        }
        if ($present -ne $wanted -and ($present -split ',').Count -ne ($wanted -split ',').Count -or ($present -eq $new -and $present -ne $wanted)) {
            Set-Item -Path 'WSMan:\localhost\Client\TrustedHosts' -Value $wanted -Force -ErrorAction Stop
        }
    }
}
