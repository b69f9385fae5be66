# PowerShell Remoting and WinRM: on, over HTTPS too, for the cluster only.

$ListenerUri = 'winrm/config/Listener'
$CertificateName = 'dtui WinRM'

function Test-RemotingEnabled {
    # Disabled remoting denies network logons in the session configuration, whatever the service does.
    if (-not (Test-ServiceRunning -Name 'WinRM')) {
        return $false
    }
    $configuration = Get-PSSessionConfiguration -Name 'microsoft.powershell' -ErrorAction SilentlyContinue
    if ($null -eq $configuration) {
        return $false
    }
    $rights = $configuration.PSObject.Properties['SecurityDescriptorSddl']
    $denied = $null -ne $rights -and [string]$rights.Value -match '\(D;[^)]+;NU\)'
    return (-not $denied -and @(Get-Listeners -Transport 'HTTP').Count -gt 0)
}

function Get-Listeners {
    param([Parameter(Mandatory = $true)][string]$Transport)
    return @(Get-WSManInstance -ResourceURI $ListenerUri -Enumerate -ErrorAction SilentlyContinue | Where-Object { $_.Transport -eq $Transport })
}

function Get-ServingListeners {
    # Listeners over HTTPS that answer at the address, by whomever they were made. One without an address to
    # listen on, of an adapter that is gone, has no such property at all.
    param([Parameter(Mandatory = $true)][string]$Address)
    if (-not (Test-ServiceRunning -Name 'WinRM')) {
        return @()
    }
    return @(Get-Listeners -Transport 'HTTPS' | Where-Object {
            $addresses = $_.PSObject.Properties['ListeningOn']
            $null -ne $addresses -and @($addresses.Value) -contains $Address
        })
}

function Enable-Remoting {
    # `States` are the states of Windows' own firewall rules, by name, before anything was changed.
    param([Parameter(Mandatory = $true)]$States)
    if (Test-RemotingEnabled) {
        return
    }
    $policy = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System'
    $listening = 0
    if (Test-ServiceRunning -Name 'WinRM') {
        $listening = @(Get-Listeners -Transport 'HTTP').Count
    }
    $present = [ordered]@{
        remoting = 'off'
        listeners = $listening
        policy = Get-RegistryNumber -Path $policy -Name 'LocalAccountTokenFilterPolicy'
        rules = $States
    }
    Invoke-Change -Kind 'Remoting' -Target 'machine' -Old $present -New 'on' -Do {
        # Without a check of the network's profile: on a Public network this would fail, and the firewall rules
        # below decide who gets in anyway.
        Enable-PSRemoting -Force -SkipNetworkProfileCheck
        # It may also set the policy for local accounts, which a member of a domain does not need.
        if (Test-DomainMember) {
            Restore-RegistryNumber -Path $policy -Name 'LocalAccountTokenFilterPolicy' -Value $present.policy
        }
    }
}

function Undo-Remoting {
    # Enable-PSRemoting changes all of these, Disable-PSRemoting only the session configurations.
    param([Parameter(Mandatory = $true)]$Entry)
    Disable-PSRemoting -Force -WarningAction SilentlyContinue
    if ([int]$Entry.old.listeners -eq 0) {
        foreach ($listener in @(Get-Listeners -Transport 'HTTP')) {
            Remove-WSManInstance -ResourceURI $ListenerUri -SelectorSet @{ Address = [string]$listener.Address; Transport = 'HTTP' }
        }
    }
    $policy = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System'
    Restore-RegistryNumber -Path $policy -Name 'LocalAccountTokenFilterPolicy' -Value $Entry.old.policy
    foreach ($state in $Entry.old.rules.PSObject.Properties) {
        if ($null -ne $state.Value) {
            Undo-RuleState -Entry ([pscustomobject]@{ target = $state.Name; old = $state.Value })
        }
    }
}

function Get-OwnAddress {
    # The address of the adapter that routes to the master: the listener serves no other network.
    param([Parameter(Mandatory = $true)][string]$Toward)
    $routes = @(Find-NetRoute -RemoteIPAddress $Toward | Where-Object { $_.PSObject.Properties.Name -contains 'IPAddress' })
    if ($routes.Count -eq 0) {
        throw "This machine has no route to $Toward. Check the address of the master and the network cable."
    }
    return [string]$routes[0].IPAddress
}

function Get-ListenerCertificate {
    param([Parameter(Mandatory = $true)][string]$Address)
    $valid = @(Get-ChildItem -Path 'Cert:\LocalMachine\My' | Where-Object {
            $_.FriendlyName -eq "$CertificateName $Address" -and $_.NotAfter -gt (Get-Date).AddDays(30)
        })
    if ($valid.Count -eq 0) {
        return $null
    }
    return $valid[0]
}

function Enable-HttpsListener {
    param([Parameter(Mandatory = $true)][string]$Address)
    $serving = @(Get-ServingListeners -Address $Address)
    if ($serving.Count -gt 0) {
        return
    }
    if ($null -eq (Get-ListenerCertificate -Address $Address)) {
        $name = "$CertificateName $Address"
        Invoke-Change -Kind 'Certificate' -Target $name -Old $null -New 'self-signed, 5 years' -Do {
            # Name and address, so that the master may check the certificate whichever of them it uses.
            $names = "2.5.29.17={text}DNS=$env:COMPUTERNAME&IPAddress=$Address"
            New-SelfSignedCertificate -Subject "CN=$env:COMPUTERNAME" -TextExtension @($names) -Type SSLServerAuthentication -CertStoreLocation 'Cert:\LocalMachine\My' -NotAfter (Get-Date).AddYears(5) -FriendlyName $name
        }
    }
    Invoke-Change -Kind 'HttpsListener' -Target $Address -Old $null -New 'port 5986' -Do {
        $certificate = Get-ListenerCertificate -Address $Address
        $values = @{ Hostname = $env:COMPUTERNAME; CertificateThumbprint = $certificate.Thumbprint }
        New-WSManInstance -ResourceURI $ListenerUri -SelectorSet @{ Address = "IP:$Address"; Transport = 'HTTPS' } -ValueSet $values
    }
}

function Undo-HttpsListener {
    param([Parameter(Mandatory = $true)]$Entry)
    Remove-WSManInstance -ResourceURI $ListenerUri -SelectorSet @{ Address = "IP:$($Entry.target)"; Transport = 'HTTPS' }
}

function Undo-Certificate {
    param([Parameter(Mandatory = $true)]$Entry)
    foreach ($certificate in @(Get-ChildItem -Path 'Cert:\LocalMachine\My' | Where-Object { $_.FriendlyName -eq $Entry.target })) {
        Remove-Item -Path "Cert:\LocalMachine\My\$($certificate.Thumbprint)" -DeleteKey
    }
}

function Get-CertificateFingerprint {
    # SHA-256 of the certificate that the HTTPS listener shows, as nodes.yaml takes it; empty without one.
    param([Parameter(Mandatory = $true)][string]$Address)
    $serving = @(Get-ServingListeners -Address $Address)
    if ($serving.Count -eq 0) {
        return ''
    }
    # Written by winrm with spaces or without, as it was given.
    $thumbprint = ([string]$serving[0].CertificateThumbprint) -replace '\s', ''
    $shown = @(Get-ChildItem -Path 'Cert:\LocalMachine\My' | Where-Object { $_.Thumbprint -eq $thumbprint })
    if ($shown.Count -eq 0) {
        return ''
    }
    $digest = [Security.Cryptography.SHA256]::Create().ComputeHash($shown[0].RawData)
    return 'SHA256:' + [BitConverter]::ToString($digest).Replace('-', '')
}

function Get-TrustedHosts {
    return [string](Get-Item -Path 'WSMan:\localhost\Client\TrustedHosts').Value
}

function Set-TrustedMaster {
    # The client's list: it lets this machine open sessions to the master. It names the master and nobody else.
    param([Parameter(Mandatory = $true)][string]$Address)
    if (-not (Test-ServiceRunning -Name 'WinRM')) {
        Write-Note "WinRM does not run yet: TrustedHosts would be set to $Address."
        return
    }
    $present = Get-TrustedHosts
    if ($present -eq $Address) {
        return
    }
    if ($present) {
        Write-Note "TrustedHosts was $present and becomes the master only; -Undo puts it back."
    }
    Invoke-Change -Kind 'TrustedHosts' -Target 'WSMan client' -Old $present -New $Address -Do {
        Set-Item -Path 'WSMan:\localhost\Client\TrustedHosts' -Value $Address -Force
    }
}

function Undo-TrustedHosts {
    param([Parameter(Mandatory = $true)]$Entry)
    Set-Item -Path 'WSMan:\localhost\Client\TrustedHosts' -Value ([string]$Entry.old) -Force
}
